// Peek: reads the ClientHello without answering it. It must arrive within the entry point's readTimeout.

import { HelloBuffer, type HelloReject, type HelloResult } from "../../wire/client-hello.ts";
import { type Connection, Step } from "../connection.ts";

export type Hello = Extract<HelloResult, { kind: "ok" | "none" }>;

/** `received` is everything read so far. */
export type Peeked =
  | { readonly kind: "hello"; readonly hello: Hello; readonly received: Buffer }
  /** No hello, or none that can be read. */
  | { readonly kind: "stranger"; readonly reason: HelloReject; readonly received: Buffer };

export class Peek extends Step {
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
    if (result.kind === "more") return;
    const received = asBuffer(this.#buffer.bytes);
    if (result.kind === "bad") this.#next(this.connection, { kind: "stranger", reason: result.reason, received });
    else this.#next(this.connection, { kind: "hello", hello: result, received });
  }

  override onDeadline(): void {
    this.connection.finish("hello-timeout");
  }
}

/** The same memory as a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
