// Peek: reads the ClientHello without answering it. It must arrive within the entry point's readTimeout.

import { type Alert, fatalAlert } from "../../wire/alert.ts";
import { HelloBuffer, type HelloReject, type HelloResult } from "../../wire/client-hello.ts";
import type { HelloWaiter } from "../../wire/hello-pool.ts";
import { type Connection, Step } from "../connection.ts";

export type Hello = Extract<HelloResult, { kind: "ok" | "none" }>;

/** `received` is everything read so far. */
export type Peeked =
  | { readonly kind: "hello"; readonly hello: Hello; readonly received: Buffer }
  /** No hello, or none that can be read. `alert` is the answer to it; null for what is no TLS. */
  | {
      readonly kind: "stranger";
      readonly reason: HelloReject;
      readonly alert: Alert | null;
      readonly received: Buffer;
    };

const NO_ROOM = fatalAlert("internal_error");

export class Peek extends Step implements HelloWaiter {
  readonly #next: (connection: Connection, peeked: Peeked) => void;
  readonly #buffer = new HelloBuffer();

  constructor(connection: Connection, next: (connection: Connection, peeked: Peeked) => void) {
    super(connection);
    this.#next = next;
  }

  start(): void {
    const { edge, entryPoint } = this.connection;
    edge.deadlines.set(this, entryPoint.readTimeoutMs);
  }

  override onData(chunk: Buffer): void {
    const result = this.#buffer.push(chunk);
    if (result.kind === "more") return this.connection.edge.hellos.hold(this, this.#buffer.held);
    const received = asBuffer(this.#buffer.bytes);
    if (result.kind === "bad") this.#next(this.connection, { ...result, kind: "stranger", received });
    else this.#next(this.connection, { kind: "hello", hello: result, received });
  }

  override leave(): void {
    super.leave();
    this.connection.edge.hellos.release(this);
  }

  override onDeadline(): void {
    this.connection.finish("hello-timeout");
  }

  onHelloCut(): void {
    this.connection.refuse("hello-limit", NO_ROOM);
  }
}

/** The same memory as a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
