// A side of a relay that is read no faster than a rate: its socket is paused for as long as it has sent too much. Bytes are passed on as
// they come, and none is held for this. Sides without a rate know nothing of it.

import type { Timed } from "./deadlines.ts";
import { Pace, type Rate } from "./pace.ts";
import { type ByteMeter, type MakeSide, type Relay, Side } from "./relay.ts";
import type { NativeSocket } from "./socket.ts";

/** What a connection may send and get; null: as fast as it goes. */
export interface Bandwidth {
  /** From the client. */
  readonly in: Rate | null;
  /** To the client. */
  readonly out: Rate | null;
}

class PacedSide extends Side implements Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #pace: Pace;

  constructor(relay: Relay, socket: NativeSocket, meter: ByteMeter, rate: Rate) {
    super(relay, socket, meter);
    this.#pace = new Pace(rate);
  }

  override count(bytes: number): void {
    super.count(bytes);
    this.#spend(bytes);
  }

  override onData(chunk: Buffer): void {
    super.onData(chunk);
    this.#spend(chunk.length);
  }

  /** Whoever stops it for the receiver's sake lets it go on; its rate may say otherwise. */
  override resume(): void {
    if (!this.isPaced) super.resume();
  }

  override onClose(error: Error | undefined): void {
    this.relay.pool.deadlines.clear(this);
    this.isPaced = false;
    super.onClose(error);
  }

  onDeadline(): void {
    const wait = this.#pace.wait(performance.now());
    if (wait > 0) return this.relay.pool.deadlines.set(this, wait);
    this.isPaced = false;
    if (!this.paused && !this.closed) super.resume();
  }

  #spend(bytes: number): void {
    const now = performance.now();
    this.#pace.spend(bytes, now);
    const wait = this.#pace.wait(now);
    if (wait === 0 || this.isPaced || this.closed) return;
    this.isPaced = true;
    this.relay.pool.pacedPauses++;
    this.socket.pause();
    this.relay.pool.deadlines.set(this, wait);
  }
}

/** The sides of a relay of which at least one has a rate. What the server sends is what the client gets. */
export function pacedSides({ in: fromClient, out: fromServer }: Bandwidth): MakeSide {
  return (relay, socket, meter, of) => {
    const rate = of === "client" ? fromClient : fromServer;
    return rate === null ? new Side(relay, socket, meter) : new PacedSide(relay, socket, meter, rate);
  };
}

/** The narrower one of two in each direction. */
export function narrower(a: Bandwidth | null, b: Bandwidth): Bandwidth {
  if (a === null) return b;
  const least = (x: Rate | null, y: Rate | null): Rate | null => {
    if (x === null || y === null) return x ?? y;
    return x.bytesPerSecond <= y.bytesPerSecond ? x : y;
  };
  return { in: least(a.in, b.in), out: least(a.out, b.out) };
}
