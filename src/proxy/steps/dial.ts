// Dial: finds a server of the route. A client that leaves meanwhile takes its dial with it: its CONNECT, if it reached a broker later,
// would end the session that the same client has begun anew.

import type { NativeSocket } from "../../net/socket.ts";
import { DEFAULT_PASSIVE } from "../../upstream/health.ts";
import type { Choice, Target } from "../../upstream/service.ts";
import { endsWithFin } from "../../wire/half-close.ts";
import { type Connection, Step } from "../connection.ts";
import { proxyHeaderOf } from "../proxy-protocol-out.ts";
import { type SearchOwner, ServerSearch } from "../server-search.ts";

/** The server that was reached. */
export interface Dialled {
  readonly target: Target;
  readonly socket: NativeSocket;
  /** What the server has yet to be told before the stream; null: nothing. */
  readonly header: Buffer | null;
  /** The client has finished sending already, and what it has sent is to be delivered. */
  readonly ended: boolean;
  /** Who goes on where the server is of no use. */
  readonly dial: Dial;
}

export class Dial extends Step implements SearchOwner {
  readonly #next: (connection: Connection, dialled: Dialled) => void;
  readonly #search: ServerSearch;
  #ended = false;
  /** A server was reached, and has not answered. */
  #isUnanswered = false;
  /**
   * Servers that have left the CONNECT unanswered. There are CONNECTs that any broker closes on without a word, such as one with a Maximum
   * Packet Size that no CONNACK fits into: so only the answer of another server shows that it was theirs to answer.
   */
  #suspects: { readonly target: Target; readonly outcome: "closed" | "silent" }[] | null = null;

  /** `first` is what `choice` has given first. */
  constructor(
    connection: Connection,
    choice: Choice,
    first: Target,
    next: (connection: Connection, dialled: Dialled) => void,
  ) {
    super(connection);
    this.#next = next;
    this.#search = new ServerSearch(connection.edge, choice, first, this);
  }

  start(): void {
    this.#search.start();
  }

  /** Takes the connection back from a step that has found the server that was reached to be of no use. */
  unanswered(target: Target, outcome: "closed" | "silent" | null): void {
    this.#isUnanswered = true;
    if (outcome !== null) {
      this.#suspects ??= [];
      this.#suspects.push({ target, outcome });
    }
    this.connection.pass(this);
    this.#search.reject(target);
    this.#search.start();
  }

  /** The same CONNECT has had an answer. */
  answered(): void {
    const suspects = this.#suspects;
    this.#suspects = null;
    if (suspects === null) return;
    for (const { target, outcome } of suspects) {
      target.state.leftUnanswered(target.passive ?? DEFAULT_PASSIVE);
      this.connection.edge.observer.onOutcome(target, outcome);
    }
  }

  override leave(): void {
    super.leave();
    this.#search.stop();
  }

  /** FIN is leaving, except of a client that may half-close: then the server under way gets what it has sent, and no other one does. */
  override onEnd(): void {
    if (endsWithFin(this.connection.ahead)) this.connection.finish("client-gone");
    else {
      this.#ended = true;
      this.#search.last();
    }
  }

  headerFor({ transport }: Target): Buffer | null {
    if (transport.proxyProtocol === null) return null;
    const written = proxyHeaderOf(this.connection, transport.proxyProtocol);
    if (written.kind === "ok") return written.bytes;
    this.connection.finish(written.reason);
    return null;
  }

  onServerOpen(target: Target, socket: NativeSocket, header: Buffer | null): void {
    const { edge, record } = this.connection;
    edge.outages.end(record.meters!.service);
    this.connection.reachServer(target);
    this.#next(this.connection, { target, socket, header, ended: this.#ended, dial: this });
  }

  onNoServer(isDown: boolean): void {
    const { edge, record } = this.connection;
    if (isDown) edge.outages.begin(record.meters!.service);
    this.connection.finish(this.#ended ? "client-gone" : this.#isUnanswered ? "unanswered" : "dial-failed");
  }
}
