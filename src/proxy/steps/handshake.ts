// Handshake: TLS as server, up to its end. Nothing is dialled before it. Challenges of an authority are answered by it too.

import { closeGracefully, type HandshakeError, type NativeTlsSocket, NOBODY } from "../../net/socket.ts";
import { type ServerUpgrade, unwatch, upgradeServer } from "../../net/tls.ts";
import { handshakeCause } from "../../tls/handshake-failure.ts";
import type { HandshakeWatch } from "../../tls/handshake-watch.ts";
import { type Connection, Step } from "../connection.ts";

/** What a handshake came to, when it did not fail. */
export interface Shaken {
  /** The TLS library's verdict on the client's certificate, which may be set although all is well. */
  readonly error: HandshakeError | null;
  readonly durationMs: number;
  /** Until the next step begins it can tell the client why it is refused. */
  readonly watch: HandshakeWatch | null;
}

export class Handshake extends Step {
  readonly #startedAt = performance.now();
  readonly #watch: HandshakeWatch | null;
  #next: ((shaken: Shaken) => void) | null = null;

  constructor(connection: Connection, watch: HandshakeWatch | null) {
    super(connection);
    this.#watch = watch;
  }

  /** `received` is the ClientHello and what came behind it. `next` is called once, with the connection's socket speaking TLS. */
  start(received: Buffer, upgrade: ServerUpgrade, next: (shaken: Shaken) => void): void {
    const { connection } = this;
    const { edge, entryPoint } = connection;
    edge.deadlines.set(this, entryPoint.readTimeoutMs);
    this.#next = next;
    const upgraded = upgradeServer(connection.socket, received, upgrade, this, this.#watch);
    // The handshake may fail within this call, when the rest of the flight is here already: then the connection is over by now.
    if (!connection.isOver) connection.socket = upgraded;
    else {
      upgraded.data = NOBODY;
      closeGracefully(upgraded);
    }
  }

  override onHandshake(success: boolean, error: HandshakeError | null): void {
    const next = this.#next;
    this.#next = null;
    if (success) next?.({ error, durationMs: performance.now() - this.#startedAt, watch: this.#watch });
    else this.#fail(error);
  }

  override onEnd(): void {
    this.#fail(null);
  }

  override onClose(): void {
    this.#fail(null);
  }

  override onDeadline(): void {
    this.connection.finish(this.#watch?.refused ?? "handshake-timeout");
  }

  override leave(): void {
    super.leave();
    const watch = this.#watch;
    if (watch === null) return;
    watch.done();
    unwatch(watch);
  }

  /** `error`: null when the client has gone. */
  #fail(error: HandshakeError | null): void {
    const { connection } = this;
    if (connection.isOver) return;
    const refused = this.#watch?.refused ?? null;
    if (refused !== null) return connection.finish(refused);
    const cause = handshakeCause(error, this.#watch?.alert ?? 0);
    connection.record.cause = cause;
    connection.entryPoint.meters.handshakeFailed(cause);
    connection.finish("handshake-failed");
  }
}

/** TLS facts are copied once, now: after a socket is closed its getters answer nothing. */
export function noteTls(connection: Connection): NativeTlsSocket {
  const socket = connection.socket as NativeTlsSocket;
  const { record } = connection;
  record.tlsVersion = intern(socket.getTLSVersion());
  record.tlsCipher = intern(socket.getCipher().standardName);
  if (socket.alpnProtocol) record.alpn = intern(socket.alpnProtocol);
  return socket;
}

/** The few words that many connections share are kept once. Bounded by what the TLS library and the configuration can say. */
const interned = new Map<string, string>();
const MAX_INTERNED = 256;

function intern(word: string): string {
  const known = interned.get(word);
  if (known !== undefined) return known;
  if (interned.size < MAX_INTERNED) interned.set(word, word);
  return word;
}
