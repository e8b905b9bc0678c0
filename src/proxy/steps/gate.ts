// Gate: reads the client's CONNECT, within limits of time and size. What comes behind it is kept for the broker.

import type { ConnectLimits } from "../../middlewares/middleware.ts";
import { type Connect, type ConnectRead, readConnect } from "../../mqtt/connect.ts";
import { PAUSE_SHARE } from "../ahead.ts";
import { type Connection, Step } from "../connection.ts";

/** What the first packet was, when it is whole or cannot become a CONNECT any more; `timeout`: it has not come to that. */
export type Gated =
  | { readonly kind: "ok"; readonly connect: Connect; readonly waitedMs: number }
  | Exclude<ConnectRead, { kind: "more" | "ok" }>
  | { readonly kind: "timeout" };

const TIMEOUT: Gated = { kind: "timeout" };

export class Gate extends Step {
  readonly #timeoutMs: number;
  /** A client that has sent so much that it is paused would never get its CONNECT through. */
  readonly #maxSize: number;
  readonly #next: (gated: Gated) => void;
  readonly #startedAt = performance.now();
  /** Bytes with which it is worth to look again: a client that sends them one by one costs no more than another. */
  #worthwhile = 1;

  constructor(connection: Connection, limits: ConnectLimits, next: (gated: Gated) => void) {
    super(connection);
    this.#timeoutMs = limits.timeoutMs;
    this.#maxSize = Math.min(limits.maxSize, connection.edge.pool.heldPerConnection * PAUSE_SHARE);
    this.#next = next;
  }

  /** All that the client has sent already is held by the connection, and stays there, the CONNECT too. */
  start(): void {
    this.connection.edge.deadlines.set(this, this.#timeoutMs);
    this.#look();
  }

  override onData(chunk: Buffer): void {
    this.connection.holdAhead(chunk);
    this.#look();
  }

  override onDeadline(): void {
    this.#next(TIMEOUT);
  }

  #look(): void {
    const { connection } = this;
    if (connection.isOver || connection.heldBytes < this.#worthwhile) return;
    const bytes = connection.wholeAhead();
    const read = readConnect(bytes, this.#maxSize);
    if (read.kind === "ok")
      return this.#next({ kind: "ok", connect: read.connect, waitedMs: performance.now() - this.#startedAt });
    if (read.kind === "more") this.#worthwhile = read.need;
    else this.#next(read);
  }
}
