// One client connection on its way: accept, peek, route, handshake, dial, relay, end. This file holds what a connection is and who
// hears its events; each step of the way is a file of its own beside it.

import type { Timed } from "../net/deadlines.ts";
import { Relay, type RelayEnd, type RelayOwner } from "../net/relay.ts";
import type { HandshakeError, NativeSocket, NativeTlsSocket, SocketOwner } from "../net/socket.ts";
import { closeGracefully, NOBODY, unmap } from "../net/socket.ts";
import type { Revocable } from "../tls/revocations.ts";
import type { HelloBuffer } from "../wire/client-hello.ts";
import type { ServerDial } from "./connect.ts";
import type { Edge, EntryPoint } from "./edge.ts";
import type { RouteMeters } from "./meters.ts";
import { peek, startPeek } from "./peek.ts";
import type { Reason } from "./reasons.ts";
import type { Route } from "./snapshot.ts";
import { afterHandshake } from "./terminate.ts";

/** Where on its way a connection is; the relay has its own owner and is not among them. */
export type Phase = "peek" | "turn" | "challenge" | "handshake" | "dial" | "relay" | "closed";

/** Bytes that a client may send ahead, while its broker is being dialled, before it is paused. */
const EARLY_PAUSE_BYTES = 16 * 1024;

export class Connection implements SocketOwner, RelayOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly edge: Edge;
  readonly entryPoint: EntryPoint;
  /** The accepted socket; after a handshake, the TLS one on top of it. */
  socket: NativeSocket;
  phase: Phase = "peek";
  readonly startedAt = performance.now();
  /** "" and 0 when it was gone before it was looked at. */
  readonly clientAddress: string;
  readonly clientPort: number;
  /** What was received and not yet passed on: the hello in `peek`, later what the client sent ahead of its broker. */
  hello: HelloBuffer | null = null;
  early: Buffer[] | null = null;
  earlyBytes = 0;
  paused = false;
  /** The client has finished sending, before the relay began. */
  ended = false;
  /** Set until the connection is established; the log and the counters go by `meters`. */
  route: Route | null = null;
  meters: RouteMeters | null = null;
  dial: ServerDial | null = null;
  relay: Relay | null = null;
  handshakeStartedAt = 0;
  // For the log line at the end.
  sni = "";
  alpn = "";
  server = "";
  tlsVersion = "";
  tlsCipher = "";
  clientSubject = "";
  /** The client's certificate as revocation lists know it; null where there are none. */
  revocable: Revocable | null = null;
  /** The TLS options whose lists they are. */
  options = "";

  constructor(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket) {
    this.edge = edge;
    this.entryPoint = entryPoint;
    this.socket = socket;
    // A client that has reset the connection already has no address any more.
    this.clientAddress = unmap(socket.remoteAddress ?? "");
    this.clientPort = socket.remotePort ?? 0;
  }

  start(): void {
    this.edge.connections.add(this);
    this.entryPoint.meters.open++;
    this.socket.data = this;
    startPeek(this);
  }

  onData(chunk: Buffer): void {
    if (this.phase === "peek") peek(this, chunk);
    else if (this.phase !== "closed") this.keepEarly(chunk);
  }

  onDrain(): void {}

  onEnd(): void {
    // Before its broker answers a client may half-close; before that, who has finished sending has nothing to say.
    if (this.phase === "dial") this.ended = true;
    else if (this.phase !== "closed") this.finish(this.phase === "handshake" ? "handshake-failed" : "client-gone");
  }

  onClose(): void {
    if (this.phase === "closed") return;
    this.finish(this.phase === "handshake" ? "handshake-failed" : "client-gone");
  }

  onHandshake(success: boolean, error: HandshakeError | null): void {
    if (this.phase === "challenge") this.finish("acme-challenge");
    else if (this.phase === "handshake") afterHandshake(this, this.socket as NativeTlsSocket, success, error);
  }

  onDeadline(): void {
    this.finish(this.phase === "peek" ? "hello-timeout" : "handshake-timeout");
  }

  /** What came before there was somebody to pass it on to, `first` before it, in one piece. */
  takeEarly(first: Buffer): Buffer {
    const early = this.early;
    if (early === null) return first;
    this.dropEarly();
    return Buffer.concat([first, ...early]);
  }

  /** Holds what came before there is a broker to write it to, within the limits of the relay. */
  keepEarly(chunk: Buffer): void {
    if (this.early === null) this.early = [chunk];
    else this.early.push(chunk);
    this.earlyBytes += chunk.length;
    const { pool, limits } = this.edge;
    pool.held += chunk.length;
    if (this.earlyBytes > limits.heldBytesPerConnection || pool.held > limits.heldBytesPerWorker) {
      pool.cuts++;
      this.finish("held-limit");
    } else if (!this.paused && this.earlyBytes > EARLY_PAUSE_BYTES) {
      this.paused = true;
      this.socket.pause();
    }
  }

  /** The last step but one: both sockets are open. From here on the relay owns them. */
  startRelay(server: NativeSocket, terminationDelayMs: number): void {
    const meters = this.meters!;
    this.phase = "relay";
    this.dial = null;
    this.route = null;
    this.relay = new Relay(this.edge.pool, this.socket, server, terminationDelayMs, meters, this);
    const client = this.relay.client;
    const early = this.early;
    this.dropEarly();
    if (early !== null) for (const chunk of early) client.onData(chunk);
    if (this.paused && !client.paused) this.socket.resume();
    if (this.ended) client.onEnd();
  }

  onRelayClosed(reason: RelayEnd, bytesIn: number, bytesOut: number): void {
    this.phase = "closed";
    this.relay = null;
    this.#count(reason, bytesIn, bytesOut);
  }

  /** Ends a connection that is not relayed yet. Whatever of it is open is closed. */
  finish(reason: Reason): void {
    if (this.phase === "closed" || this.phase === "relay") return;
    this.phase = "closed";
    this.edge.deadlines.clear(this);
    this.dial?.cancel();
    this.dial = null;
    this.route = null;
    this.hello = null;
    this.dropEarly();
    this.socket.data = NOBODY;
    // After a timeout the client is not listening anyway; the rest may still have a close_notify or an alert to read.
    if (reason === "handshake-timeout" || reason === "hello-timeout") this.socket.terminate();
    else closeGracefully(this.socket);
    this.#count(reason, 0, 0);
  }

  /** Ends it at once, because its certificate has been revoked. */
  revoke(): void {
    if (this.relay !== null) this.relay.abort("client-certificate-revoked");
    else this.finish("client-certificate-revoked");
  }

  /** Closes whatever there is, for a shutdown. */
  shutdown(): void {
    if (this.relay !== null) this.relay.close("shutdown");
    else this.finish("shutdown");
  }

  dropEarly(): void {
    this.edge.pool.held -= this.earlyBytes;
    this.early = null;
    this.earlyBytes = 0;
  }

  #count(reason: Reason, bytesIn: number, bytesOut: number): void {
    this.edge.connections.delete(this);
    this.entryPoint.meters.open--;
    this.entryPoint.meters.ended(reason);
    if (this.meters !== null) this.meters.open--;
    this.edge.observer.onEnd(this, reason, bytesIn, bytesOut);
  }
}
