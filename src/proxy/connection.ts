// One client connection: the socket, what is known, what is held, and the step that is in charge. Which step follows which is in way.ts.

import type { Lease } from "../middlewares/middleware.ts";
import type { Timed } from "../net/deadlines.ts";
import { Relay, type RelayEnd, type RelayOwner } from "../net/relay.ts";
import {
  closeGracefully,
  type HandshakeError,
  type NativeSocket,
  NOBODY,
  type SocketOwner,
  unmap,
} from "../net/socket.ts";
import { BytesAhead } from "./ahead.ts";
import type { Edge, EntryPoint, LiveConnection } from "./edge.ts";
import type { RouteMeters } from "./meters.ts";
import type { Reason } from "./reasons.ts";
import { ConnectionRecord } from "./record.ts";

/**
 * A step of the way: it owns the client's socket while it runs, has its own fields and its own deadline, and hands on what it found. What
 * the client sends meanwhile is held, and a client that leaves ends the connection, unless a step says otherwise.
 */
export abstract class Step implements SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  protected readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The connection is over, or goes on in another step: nothing of this one may stay under way. */
  leave(): void {
    this.connection.edge.deadlines.clear(this);
  }

  onData(chunk: Buffer): void {
    this.connection.holdAhead(chunk);
  }

  onDrain(): void {}

  onEnd(): void {
    this.connection.finish("client-gone");
  }

  onClose(): void {
    this.connection.finish("client-gone");
  }

  onHandshake(_success: boolean, _error: HandshakeError | null): void {}

  onDeadline(): void {}
}

export class Connection implements RelayOwner, LiveConnection {
  readonly edge: Edge;
  readonly entryPoint: EntryPoint;
  readonly record: ConnectionRecord;
  /** The accepted socket; after a handshake, the TLS one on top of it. */
  socket: NativeSocket;
  /** The version of the tables by which its route was chosen: when it has changed after a wait, the way decides again. */
  version = 0;
  /** What is in charge: a step, then the relay. */
  #charge: Step | Relay | null = null;
  #isOver = false;
  #ahead: BytesAhead | null = null;
  /** Limits and counters that it holds, the route's among them. */
  #leases: Lease[] | null = null;

  constructor(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket) {
    this.edge = edge;
    this.entryPoint = entryPoint;
    this.socket = socket;
    this.record = new ConnectionRecord(entryPoint.name, socket);
    edge.connections.add(this);
    entryPoint.meters.open++;
  }

  /** Where the client has connected to. It is asked of the system only when somebody wants to know. */
  get dialled(): { readonly address: string; readonly port: number } {
    const { record, socket } = this;
    return record.dialled ?? { address: unmap(socket.localAddress ?? ""), port: socket.localPort ?? 0 };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Hands the socket to the next step, which starts by itself. */
  pass<S extends Step>(step: S): S {
    if (this.#charge instanceof Step) this.#charge.leave();
    this.#charge = step;
    this.socket.data = step;
    return step;
  }

  /** Whether this step is still the one in charge: what it waited for may come too late. */
  isIn(step: Step): boolean {
    return this.#charge === step;
  }

  /** Keeps something that is given back when the connection ends. */
  hold(lease: Lease): void {
    if (this.#leases === null) this.#leases = [lease];
    else this.#leases.push(lease);
  }

  /** Counts it for a route; a former one's count, and all that was held for it, is taken back. */
  choose(meters: RouteMeters | null): void {
    const former = this.record.meters;
    if (former !== null) {
      former.connections--;
      former.open--;
      this.#release();
    }
    this.record.meters = meters;
    if (meters === null) return;
    meters.connections++;
    meters.open++;
  }

  /** Holds what came before there is a broker to write it to; over a limit, the connection ends. */
  holdAhead(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#ahead ??= new BytesAhead(this.edge.pool, this);
    this.#ahead.hold(chunk, this.socket);
  }

  get ahead(): readonly Buffer[] {
    return this.#ahead?.chunks ?? NO_CHUNKS;
  }

  /** What is held, `first` before it; it is not held any more. */
  takeAhead(first: Buffer): Buffer {
    return this.#ahead?.take(first) ?? first;
  }

  /**
   * Both sockets are open: from here on the relay owns them. `header` goes to the server before the stream, in one write with what the
   * client has sent: there are servers that read both at once. `ended`: the client has finished sending already.
   */
  relay(server: NativeSocket, terminationDelayMs: number, header: Buffer | null, ended: boolean): void {
    if (this.#charge instanceof Step) this.#charge.leave();
    const relay = new Relay(this.edge.pool, this.socket, server, terminationDelayMs, this.record.meters!, this);
    this.#charge = relay;
    const ahead = this.#ahead;
    this.#ahead = null;
    if (header !== null) relay.server.send(ahead === null ? header : Buffer.concat([header, ...ahead.chunks]));
    if (ahead !== null) {
      const { chunks, paused } = ahead;
      ahead.release();
      for (const chunk of chunks) {
        if (header === null) relay.client.onData(chunk);
        else relay.client.count(chunk.length);
      }
      if (paused && !relay.client.paused) this.socket.resume();
    }
    if (ended) relay.client.onEnd();
  }

  onRelayClosed(reason: RelayEnd, bytesIn: number, bytesOut: number): void {
    this.#isOver = true;
    this.#charge = null;
    this.#count(reason, bytesIn, bytesOut);
  }

  /** Ends a connection that is not relayed yet. Whatever of it is open is closed. */
  finish(reason: Reason): void {
    const step = this.#charge;
    if (this.#isOver || step instanceof Relay) return;
    this.#isOver = true;
    this.#charge = null;
    step?.leave();
    this.#ahead?.release();
    this.#ahead = null;
    this.socket.data = NOBODY;
    // After a timeout the client is not listening anyway; the rest may still have a close_notify or an alert to read.
    if (reason === "handshake-timeout" || reason === "hello-timeout") this.socket.terminate();
    else closeGracefully(this.socket);
    this.#count(reason, 0, 0);
  }

  /** Ends it, after `last`, a fatal alert or another answer that the client understands. */
  refuse(reason: Reason, last: Uint8Array): void {
    if (this.#isOver) return;
    this.socket.write(last);
    this.finish(reason);
  }

  /** Ends it at once, because its certificate has been revoked. */
  revoke(): void {
    if (this.#charge instanceof Relay) this.#charge.abort("client-certificate-revoked");
    else this.finish("client-certificate-revoked");
  }

  /** Closes whatever there is, for a shutdown. */
  shutdown(): void {
    if (this.#charge instanceof Relay) this.#charge.close("shutdown");
    else this.finish("shutdown");
  }

  #count(reason: Reason, bytesIn: number, bytesOut: number): void {
    const { edge, entryPoint, record } = this;
    edge.connections.delete(this);
    entryPoint.meters.open--;
    entryPoint.meters.ended(reason);
    if (record.meters !== null) record.meters.open--;
    this.#release();
    edge.observer.onEnd(record, reason, bytesIn, bytesOut);
  }

  #release(): void {
    const leases = this.#leases;
    this.#leases = null;
    if (leases !== null) for (const lease of leases) lease.release();
  }
}

const NO_CHUNKS: readonly Buffer[] = [];
