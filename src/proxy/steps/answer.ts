// Answer: waits for the first byte of a server that was reached. Until then what the client sends goes there and is kept as well, so that
// another server can have it when this one closes or keeps silent. There is nothing to undo by then: nobody has answered.
//
// That is so for MQTT and for TLS, whose servers answer what begins a connection, and while the client has sent nothing. Any other stream
// is relayed at once, and so is one that has become too long to keep. A client that leaves is a matter for the relay.
//
// A client that sends nothing, or no whole request, while its server keeps silent too, is let go after the entry point's connectTimeout.

import { readConnect } from "../../mqtt/connect.ts";
import { isConnect } from "../../mqtt/opening.ts";
import { type NativeSocket, NOBODY, type SocketOwner } from "../../net/socket.ts";
import { FIRST_BYTE_MS, type Target } from "../../upstream/service.ts";
import { parseClientHello } from "../../wire/client-hello.ts";
import { PAUSE_SHARE } from "../ahead.ts";
import { type Connection, Step } from "../connection.ts";

/** What is kept of a client: a larger CONNECT, or what comes behind it, is not sent twice. */
const MAX_KEPT = 64 * 1024;
const HANDSHAKE_RECORD = 22;

/** Who finds another server. */
export interface Fallback {
  /** This one has not answered; `outcome`: a sound CONNECT. The connection has left it. */
  unanswered(target: Target, outcome: "closed" | "silent" | null): void;
  /** A server has answered. */
  answered(): void;
}

/** Whether what the client has sent is a stream whose server answers first thing, and no more than is kept of one. */
export function isAnswered(connection: Connection): boolean {
  const [first] = connection.ahead;
  return first === undefined || (isRequest(first) && connection.heldBytes <= roomOf(connection));
}

/** A client is never paused here: a relay passes on what it sends. */
function roomOf({ edge }: Connection): number {
  return Math.min(MAX_KEPT, edge.pool.heldPerConnection * PAUSE_SHARE);
}

function isRequest(bytes: Buffer): boolean {
  return bytes[0] === HANDSHAKE_RECORD || isConnect(bytes);
}

/** What a client has sent: `part` may become a request, and of `other` nothing is known. */
type Request = "nothing" | "part" | "connect" | "hello" | "other";

export class Answer extends Step {
  readonly #target: Target;
  readonly #server: NativeSocket;
  readonly #fallback: Fallback;
  /** Of the bytes that are held, those that the server has taken. */
  #sent = 0;
  readonly #startedAt = performance.now();
  /** When a request that is whole now should have been answered. */
  #dueAt = 0;
  /** The client has been silent for so long that a server that closes has lost its patience, and is not at fault. */
  #isLate = false;
  /** The server's socket is closed, or is the relay's. */
  #isDone = false;

  /** The socket belongs to it from now on. */
  constructor(connection: Connection, target: Target, server: NativeSocket, fallback: Fallback) {
    super(connection);
    this.#target = target;
    this.#server = server;
    this.#fallback = fallback;
    server.data = new Ear(this);
  }

  /** `header` goes to the server before the stream, in one write with what the client has sent: there are servers that read both at once. */
  start(header: Buffer | null): void {
    this.#await();
    const { connection } = this;
    if (header !== null) this.#write(Buffer.concat([header, ...connection.ahead]), header.length);
    else if (connection.heldBytes > 0) this.#write(connection.wholeAhead());
  }

  override leave(): void {
    super.leave();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#server.data = NOBODY;
    // A server that is only slow may still read the CONNECT: it learns at once that nobody waits for the answer.
    this.#server.terminate();
  }

  override onData(chunk: Buffer): void {
    const { connection } = this;
    const { heldBytes } = connection;
    if ((heldBytes === 0 && !isRequest(chunk)) || heldBytes + chunk.length > roomOf(connection)) {
      this.#relay();
      return connection.socket.data.onData(chunk);
    }
    connection.holdAhead(chunk);
    if (connection.isOver) return; // all clients together hold too much, and this one holds most
    if (this.#sent === heldBytes) this.#write(chunk);
    if (!this.#isDone) this.#await();
  }

  override onEnd(): void {
    this.#relay();
    this.connection.socket.data.onEnd();
  }

  override onClose(error?: Error): void {
    this.#relay();
    this.connection.socket.data.onClose(error);
  }

  /** A client that has not sent all that is to be answered is not the server's to answer: it has connectTimeout for that. */
  override onDeadline(): void {
    const { connection } = this;
    const { connectTimeoutMs } = connection.entryPoint;
    const request = this.#request();
    const now = performance.now();
    if (request === "connect" || request === "hello") {
      if (now < this.#dueAt) this.#wait(this.#dueAt - now);
      else if (this.#target.transport.firstByteTimeoutMs !== 0) this.#forsake("silent", request);
      else this.#relay();
    } else if (request === "other" || connectTimeoutMs === 0) this.#relay();
    else {
      const left = connectTimeoutMs - (now - this.#startedAt);
      if (left <= 0) return connection.finish("silence-timeout");
      if (now >= this.#dueAt) this.#isLate = true;
      this.#wait(this.#isLate ? left : Math.min(left, this.#dueAt - now));
    }
  }

  onServerData(chunk: Buffer): void {
    const { state } = this.#target;
    if (state.isTroubled) {
      this.connection.edge.observer.onOutcome(this.#target, "answered");
      state.answered();
    }
    this.#fallback.answered();
    this.#relay();
    this.#server.data.onData(chunk);
  }

  /** Room in the server's buffer again. */
  onServerDrain(): void {
    const { connection } = this;
    if (this.#sent < connection.heldBytes) this.#write(connection.wholeAhead().subarray(this.#sent));
  }

  onServerEnd(): void {
    const request = this.#request();
    if (this.#isRepeatable(request)) return this.#forsake("closed", request);
    this.#relay();
    this.#server.data.onEnd();
  }

  onServerClose(error: Error | undefined): void {
    const request = this.#request();
    if (this.#isRepeatable(request)) {
      this.#isDone = true;
      this.#forsake("closed", request);
    } else {
      this.#relay();
      this.#server.data.onClose(error);
    }
  }

  #await(): void {
    const { connectTimeoutMs } = this.connection.entryPoint;
    const now = performance.now();
    // Without a limit, what is not answered is still repeated for a while where the server closes.
    this.#dueAt = now + (this.#target.transport.firstByteTimeoutMs || FIRST_BYTE_MS);
    this.#isLate = false;
    const left = this.#startedAt + connectTimeoutMs - now;
    // Bytes that come one by one do not move the end.
    this.#wait(connectTimeoutMs > 0 ? Math.min(Math.max(left, 0), this.#dueAt - now) : this.#dueAt - now);
  }

  #wait(ms: number): void {
    this.connection.edge.deadlines.set(this, ms);
  }

  #isRepeatable(request: Request): boolean {
    return request !== "other" && !(this.#isLate && request !== "connect" && request !== "hello");
  }

  /** `before`: bytes that are not the client's, and fit any empty send buffer. A socket that is found dead may tell so within the call. */
  #write(bytes: Buffer, before = 0): void {
    const taken = this.#server.write(bytes);
    if (this.#isDone) return;
    if (taken > before) this.#sent += taken - before;
    else if (taken < before) this.#forsake("closed", this.#request());
  }

  /** Another server is asked. What an outsider can cause with anything but a sound CONNECT is not held against this one. */
  #forsake(outcome: "closed" | "silent", request: Request): void {
    this.connection.leaveServer(outcome);
    this.#fallback.unanswered(this.#target, request === "connect" ? outcome : null);
  }

  #relay(): void {
    this.#isDone = true;
    this.connection.relay(this.#target, this.#server, null, false, this.#sent);
  }

  #request(): Request {
    const { connection } = this;
    if (connection.connect !== null) return "connect";
    const bytes = connection.wholeAhead();
    if (bytes.length === 0) return "nothing";
    if (bytes[0] === HANDSHAKE_RECORD) {
      const { kind } = parseClientHello(bytes);
      return kind === "bad" ? "other" : kind === "more" ? "part" : "hello";
    }
    const { kind } = readConnect(bytes, MAX_KEPT);
    return kind === "ok" ? "connect" : kind === "more" ? "part" : "other";
  }
}

/** The owner of the server's socket meanwhile. */
class Ear implements SocketOwner {
  readonly #answer: Answer;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  onData(chunk: Buffer): void {
    this.#answer.onServerData(chunk);
  }

  onDrain(): void {
    this.#answer.onServerDrain();
  }

  onEnd(): void {
    this.#answer.onServerEnd();
  }

  onClose(error: Error | undefined): void {
    this.#answer.onServerClose(error);
  }

  onHandshake(): void {}
}
