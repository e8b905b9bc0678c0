// Preface: reads the PROXY protocol header that a trusted load balancer puts before a connection. Until it is whole nothing else is read:
// whoever the client is decides about all that follows. From others a header is never believed, and never passed on.

import { type ProxyHeader, parseProxyHeader } from "../../wire/proxy-protocol.ts";
import { type Connection, Step } from "../connection.ts";

/** `rest` came behind the header; null: there is none, and `rest` is all that came. */
export interface Prefaced {
  readonly header: ProxyHeader | null;
  readonly rest: Buffer;
}

export class Preface extends Step {
  readonly #isTrusted: boolean;
  readonly #next: (connection: Connection, prefaced: Prefaced) => void;
  #received: Buffer = Buffer.alloc(0);

  constructor(connection: Connection, isTrusted: boolean, next: (connection: Connection, prefaced: Prefaced) => void) {
    super(connection);
    this.#isTrusted = isTrusted;
    this.#next = next;
  }

  start(): void {
    const { edge, entryPoint } = this.connection;
    edge.deadlines.set(this, entryPoint.readTimeoutMs);
  }

  override onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const result = parseProxyHeader(this.#received);
    switch (result.kind) {
      case "more":
        return; // for MAX_PROXY_HEADER bytes at most
      case "none":
        return this.#next(this.connection, { header: null, rest: this.#received });
      case "bad":
        return this.connection.finish(this.#isTrusted ? "proxy-header-bad" : "proxy-header");
      case "ok":
        if (!this.#isTrusted) return this.connection.finish("proxy-header");
        this.#next(this.connection, { header: result, rest: this.#received.subarray(result.length) });
    }
  }

  override onDeadline(): void {
    this.connection.finish("proxy-header-timeout");
  }
}
