// The hot path: bytes from one socket to the other, in both directions, until both are closed.
//
// Per chunk: one handler, one write, no allocation and no copy of ours. What a write does not take is held once, the side it came
// from is paused, and `drain` goes on. The held bytes have a limit per connection and per worker.

import type { Deadlines, Timed } from "./deadlines.ts";
import { closeGracefully, type NativeSocket, type SocketOwner } from "./socket.ts";
import type { Turns } from "./turns.ts";

/** How a relay ended: also the `reason` of the log line and the `result` label of the metric. */
export type RelayEnd =
  | "client-closed"
  | "server-closed"
  | "client-reset"
  | "server-reset"
  | "held-limit"
  | "termination-timeout"
  | "keep-alive-timeout"
  | "silence-timeout"
  | "client-certificate-revoked"
  | "drained"
  | "removed"
  | "taken-over"
  /** An operator has closed it. */
  | "closed-by-hand"
  | "shutdown";

/** Where the bytes of a direction are added up. */
export interface ByteMeter {
  bytes: number;
}

/** Told once, when both sockets are closed. */
export interface RelayOwner {
  onRelayClosed(reason: RelayEnd, bytesFromClient: number, bytesFromServer: number): void;
}

/** Whoever holds bytes for a receiver that does not take them yet. */
export interface Holder {
  readonly heldBytes: number;
  /** A limit is reached, and it holds most: it must let go of everything, and close. */
  cut(): void;
}

/** What all relays of a worker share: limits, the sum of what they hold, and the counters of the hot path. */
export class RelayPool {
  readonly deadlines: Deadlines;
  readonly turns: Turns;
  readonly heldPerConnection: number;
  readonly heldPerWorker: number;
  /** Bytes held now, over all connections. */
  held = 0;
  /** Chunks that one write() took whole: no copy of ours was made. */
  chunksDirect = 0;
  /** Chunks of which a part had to be held. */
  chunksHeld = 0;
  pauses = 0;
  /** Times a sender was paused because it is faster than it may be. */
  pacedPauses = 0;
  /** Connections cut because of a limit on held bytes. */
  cuts = 0;
  readonly #holders = new Set<Holder>();

  /** Limits in bytes. */
  constructor(deadlines: Deadlines, turns: Turns, heldPerConnection: number, heldPerWorker: number) {
    this.deadlines = deadlines;
    this.turns = turns;
    this.heldPerConnection = heldPerConnection;
    this.heldPerWorker = heldPerWorker;
  }

  /** `holder` holds so many bytes more, which its `heldBytes` count already. Over a limit it is cut, or whoever holds most. */
  hold(holder: Holder, bytes: number): void {
    this.held += bytes;
    this.#holders.add(holder);
    if (holder.heldBytes > this.heldPerConnection) this.#cut(holder);
    while (this.held > this.heldPerWorker) {
      let largest: Holder | null = null;
      for (const each of this.#holders) if (largest === null || each.heldBytes > largest.heldBytes) largest = each;
      if (largest === null) break;
      this.#cut(largest);
    }
  }

  release(holder: Holder, bytes: number, empty: boolean): void {
    this.held -= bytes;
    if (empty) this.#holders.delete(holder);
  }

  #cut(holder: Holder): void {
    this.cuts++;
    holder.cut();
  }
}

/** One of the two sockets of a relay, and what is waiting to be written to it. */
export class Side implements SocketOwner, Holder {
  readonly relay: Relay;
  readonly socket: NativeSocket;
  readonly #meter: ByteMeter;
  other!: Side;
  /** Bytes read from this socket. */
  received = 0;
  held: Buffer[] | null = null;
  heldBytes = 0;
  paused = false;
  /** It is not read because it has sent more than its rate allows (net/paced-side.ts). */
  isPaced = false;
  /** The peer behind this socket has finished sending. */
  ended = false;
  /** We have finished sending to it. */
  finished = false;
  closed = false;

  constructor(relay: Relay, socket: NativeSocket, meter: ByteMeter) {
    this.relay = relay;
    this.socket = socket;
    this.#meter = meter;
  }

  /** Bytes that came from this socket. */
  count(bytes: number): void {
    this.received += bytes;
    this.#meter.bytes += bytes;
  }

  /** Writes what is nobody's stream, before it begins. */
  send(bytes: Buffer): void {
    const taken = Math.max(0, this.socket.write(bytes));
    if (taken < bytes.length && !this.closed) this.hold(bytes.subarray(taken));
  }

  onData(chunk: Buffer): void {
    this.received += chunk.length;
    this.#meter.bytes += chunk.length;
    const other = this.other;
    if (other.held === null) {
      const taken = other.socket.write(chunk);
      if (taken === chunk.length) {
        this.relay.pool.chunksDirect++;
        return;
      }
      if (other.closed) return;
      other.hold(taken > 0 ? chunk.subarray(taken) : chunk);
    } else other.hold(chunk);
  }

  /** Keeps what this socket did not take and stops reading from the other one; it may still deliver what was decrypted already. */
  hold(rest: Buffer): void {
    if (this.held === null) this.held = [rest];
    else this.held.push(rest);
    this.heldBytes += rest.length;
    const other = this.other;
    if (!other.paused && !other.closed) {
      other.paused = true;
      other.socket.pause();
      this.relay.pool.pauses++;
    }
    this.relay.pool.chunksHeld++;
    this.relay.pool.hold(this, rest.length);
  }

  /** Reads on, after a receiver that did not keep up. */
  resume(): void {
    this.socket.resume();
  }

  cut(): void {
    this.relay.abort("held-limit");
  }

  onDrain(): void {
    const held = this.held;
    if (held === null) return;
    let done = 0;
    let written = 0;
    for (const chunk of held) {
      const taken = this.socket.write(chunk);
      if (taken > 0) written += taken;
      if (taken !== chunk.length) {
        if (this.held === null) return; // the write found the socket dead, and onClose has cleared all this
        if (taken > 0) held[done] = chunk.subarray(taken);
        break;
      }
      done++;
    }
    this.heldBytes -= written;
    const empty = done === held.length;
    this.relay.pool.release(this, written, empty);
    if (!empty) {
      held.splice(0, done);
      return;
    }
    this.held = null;
    const other = this.other;
    if (other.ended || other.closed) this.finish();
    else if (other.paused) {
      other.paused = false;
      other.resume();
    }
  }

  onEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.relay.note(this);
    const other = this.other;
    this.relay.pool.turns.run(() => {
      if (other.held === null) other.finish();
    });
  }

  /** Sends FIN (or close_notify) once everything is written; closes both when both directions are over. */
  finish(): void {
    if (this.closed || this.finished) return;
    this.finished = true;
    const other = this.other;
    if (this.ended || other.closed) {
      closeGracefully(this.socket);
      if (!other.closed && other.finished) closeGracefully(other.socket);
      return;
    }
    this.socket.shutdown();
    this.relay.awaitOtherEnd();
  }

  onClose(error: Error | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.dropHeld();
    const relay = this.relay;
    const other = this.other;
    // A reset after the peer had finished sending loses nothing of what it sent, so the other side is still ended in order.
    const reset = error !== undefined && !this.ended;
    relay.note(this, reset);
    if (other.closed) relay.done();
    else if (reset) {
      relay.pool.turns.run(() => {
        if (!other.closed) other.socket.terminate();
      });
    } else if (other.held === null) {
      other.finished = true;
      closeGracefully(other.socket);
    } else relay.awaitOtherEnd(); // what is held is still written; onDrain then ends it
  }

  dropHeld(): void {
    if (this.held === null) return;
    this.relay.pool.release(this, this.heldBytes, true);
    this.held = null;
    this.heldBytes = 0;
  }

  onHandshake(): void {}
}

/** Makes a side of a relay. */
export type MakeSide = (relay: Relay, socket: NativeSocket, meter: ByteMeter, of: "client" | "server") => Side;

const plainSide: MakeSide = (relay, socket, meter) => new Side(relay, socket, meter);

export class Relay implements Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly pool: RelayPool;
  readonly client: Side;
  readonly server: Side;
  readonly #owner: RelayOwner;
  readonly #terminationDelayMs: number;
  #reason: RelayEnd | null = null;
  #seen = 0;

  /** `terminationDelayMs`: how long one side may stay silent after the other has finished; negative is for ever. */
  constructor(
    pool: RelayPool,
    client: NativeSocket,
    server: NativeSocket,
    terminationDelayMs: number,
    meters: { in: ByteMeter; out: ByteMeter },
    owner: RelayOwner,
    makeSide = plainSide,
  ) {
    this.pool = pool;
    this.#owner = owner;
    this.#terminationDelayMs = terminationDelayMs;
    this.client = makeSide(this, client, meters.in, "client");
    this.server = makeSide(this, server, meters.out, "server");
    this.client.other = this.server;
    this.server.other = this.client;
    client.data = this.client;
    server.data = this.server;
  }

  /** The first thing that ends a relay gives the reason. */
  note(side: Side, reset = false): void {
    if (this.#reason !== null) return;
    if (side === this.client) this.#reason = reset ? "client-reset" : "client-closed";
    else this.#reason = reset ? "server-reset" : "server-closed";
  }

  /** Closes both sides at once; what is held is lost. */
  abort(reason: RelayEnd): void {
    this.#reason = reason;
    this.client.dropHeld();
    this.server.dropHeld();
    if (!this.client.closed) this.client.socket.terminate();
    if (!this.server.closed) this.server.socket.terminate();
  }

  /** Ends both sides in an orderly way. */
  close(reason: RelayEnd): void {
    this.#reason ??= reason;
    for (const side of [this.client, this.server]) if (!side.closed) closeGracefully(side.socket);
  }

  awaitOtherEnd(): void {
    if (this.#terminationDelayMs < 0) return;
    this.#seen = this.#progress();
    this.pool.deadlines.set(this, this.#terminationDelayMs);
  }

  onDeadline(): void {
    // Bytes that still flow move the deadline: a long answer after a half-close arrives whole.
    const progress = this.#progress();
    if (progress !== this.#seen) {
      this.#seen = progress;
      this.pool.deadlines.set(this, this.#terminationDelayMs);
    } else if (this.#isWaiting(this.client) || this.#isWaiting(this.server)) {
      // A receiver that is slow to take what is already here is bounded by the limits on held bytes, not by this clock; and a sender that
      // is not read for its rate's sake is not silent.
      this.pool.deadlines.set(this, Math.max(1000, this.#terminationDelayMs));
    } else {
      this.close("termination-timeout");
    }
  }

  done(): void {
    this.pool.deadlines.clear(this);
    this.#owner.onRelayClosed(this.#reason ?? "client-closed", this.client.received, this.server.received);
  }

  #isWaiting({ held, isPaced }: Side): boolean {
    return held !== null || isPaced;
  }

  #progress(): number {
    return this.client.received + this.server.received - this.client.heldBytes - this.server.heldBytes;
  }
}
