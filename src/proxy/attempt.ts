// An attempt at one server. Its addresses are raced (RFC 8305, "Happy Eyeballs"): the next one is dialled when the one before has failed,
// or is slow, and the first that opens is it. A broken IPv6 so costs a quarter of a second and not a timeout.

import type { Timed } from "../net/deadlines.ts";
import type { DialError } from "../net/dial.ts";
import type { NativeSocket } from "../net/socket.ts";
import type { Target } from "../upstream/service.ts";
import type { Edge } from "./edge.ts";
import { Lane, type LaneOwner } from "./lane.ts";

/** RFC 8305 5 recommends 250 ms between two addresses; the wheel of deadlines makes this 200 to 300. */
const STAGGER_MS = 200;
/** Addresses under way at a time: each has a descriptor. Beyond that the oldest one, which has had a second by then, is given up. */
const MAX_LANES = 4;

/** Hears of an attempt once, unless it has cancelled it. */
export interface AttemptOwner {
  /** As in LaneOwner. */
  onAttemptOpen(attempt: Attempt, socket: NativeSocket, header: Buffer | null, durationMs: number): void;
  /** `reason`: that of the last address. It may come within `start`. */
  onAttemptFailed(attempt: Attempt, reason: DialError): void;
}

/** It counts as a connection of the server from the beginning, so that a crowd that chooses at once is spread. */
export class Attempt implements LaneOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly target: Target;
  readonly #edge: Edge;
  readonly #owner: AttemptOwner;
  #header: Buffer | null = null;
  #addresses: readonly string[] = [];
  #dialled = 0;
  /** Those under way, the oldest first. */
  #lanes: Lane[] = [];
  #isLast = false;
  #isOver = false;

  constructor(edge: Edge, target: Target, owner: AttemptOwner) {
    this.#edge = edge;
    this.target = target;
    this.#owner = owner;
    target.state.open++;
  }

  /** `header`: what the server is told first. */
  start(header: Buffer | null): void {
    this.#header = header;
    this.#edge.lookup.resolve(this.target.server.host, (addresses) => {
      if (this.#isOver) return;
      this.#addresses = addresses;
      if (addresses.length === 0) this.#fail("dns");
      else this.#dialNext();
    });
  }

  /** No address is dialled after the one that is under way, or comes next. */
  last(): void {
    this.#isLast = true;
    this.#edge.deadlines.clear(this);
  }

  /** Gives up; the owner hears nothing more. `isSlow`: the server has had its time. */
  cancel(isSlow: boolean): void {
    this.#isOver = true;
    this.#edge.deadlines.clear(this);
    for (const lane of this.#lanes) lane.cancel(isSlow);
    this.target.state.open--;
  }

  /** The address under way is slow. */
  onDeadline(): void {
    this.#dialNext();
  }

  onLaneOpen(lane: Lane, socket: NativeSocket, header: Buffer | null): void {
    this.#isOver = true;
    this.#edge.deadlines.clear(this);
    let isOlder = true;
    for (const other of this.#lanes) {
      if (other === lane) isOlder = false;
      else other.cancel(isOlder);
    }
    this.#owner.onAttemptOpen(this, socket, header, performance.now() - lane.startedAt);
  }

  onLaneFailed(lane: Lane, reason: DialError): void {
    this.#lanes.splice(this.#lanes.indexOf(lane), 1);
    if (this.#hasNext) this.#dialNext();
    else if (this.#lanes.length === 0) this.#fail(reason);
  }

  get #hasNext(): boolean {
    return this.#dialled < this.#addresses.length && !this.#isLast;
  }

  #dialNext(): void {
    const address = this.#addresses[this.#dialled++]!;
    if (this.#lanes.length === MAX_LANES) this.#lanes.shift()!.cancel(true);
    this.#lanes.push(new Lane(this.#edge, this.target, address, this.#header, this));
    // One of an address before may still be set.
    if (this.#hasNext) this.#edge.deadlines.set(this, STAGGER_MS);
    else this.#edge.deadlines.clear(this);
  }

  #fail(reason: DialError): void {
    this.#isOver = true;
    this.target.state.open--;
    this.#owner.onAttemptFailed(this, reason);
  }
}
