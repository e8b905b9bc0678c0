// One coarse timer for every deadline of a worker. A deadline is met up to one tick late: handshakes and dials are timed in
// seconds, and ten wake-ups a second cost less than a timer per connection. It ticks only while a deadline is set.

/** Something with at most one deadline at a time. The two fields are the wheel's. */
export interface Timed {
  /** The tick at which it is due; -1 when no deadline is set. */
  wheelTick: number;
  /** Its place in the slot, so that clearing is O(1). */
  wheelIndex: number;
  onDeadline(): void;
}

const TICK_MS = 100;
const SLOTS = 512;

export class Deadlines {
  readonly #slots: Timed[][] = Array.from({ length: SLOTS }, () => []);
  readonly #onTick: (latenessMs: number) => void;
  #tick = 0;
  #size = 0;
  #timer: ReturnType<typeof setInterval> | null = null;
  #lastTickAt = 0;
  /** Ticks that are still to be made up for. */
  #missed = 0;

  /** `onTick` is told how late each tick came, which is the delay of the event loop. */
  constructor(onTick: (latenessMs: number) => void = () => {}) {
    this.#onTick = onTick;
  }

  get size(): number {
    return this.#size;
  }

  /** Sets or moves the deadline of `timed` to `ms` from now. */
  set(timed: Timed, ms: number): void {
    if (timed.wheelTick >= 0) this.clear(timed);
    const now = performance.now();
    if (this.#timer === null) {
      this.#lastTickAt = now;
      this.#timer = setInterval(() => this.#advance(), TICK_MS);
    }
    // Of a loop that was blocked, the wheel has yet to make up for the ticks; and the tick that is under way may end at once: never early.
    const behind = this.#missed + Math.floor((now - this.#lastTickAt) / TICK_MS);
    timed.wheelTick = this.#tick + behind + Math.ceil(ms / TICK_MS) + 1;
    const slot = this.#slots[timed.wheelTick % SLOTS]!;
    timed.wheelIndex = slot.length;
    slot.push(timed);
    this.#size++;
  }

  clear(timed: Timed): void {
    if (timed.wheelTick < 0) return;
    const slot = this.#slots[timed.wheelTick % SLOTS]!;
    const last = slot.pop()!;
    if (last !== timed) {
      slot[timed.wheelIndex] = last;
      last.wheelIndex = timed.wheelIndex;
    }
    timed.wheelTick = -1;
    this.#size--;
  }

  #advance(): void {
    const now = performance.now();
    this.#onTick(Math.max(0, now - this.#lastTickAt - TICK_MS));
    // A blocked loop swallows ticks of the interval; the wheel catches up by the clock.
    const passed = Math.max(1, Math.floor((now - this.#lastTickAt) / TICK_MS));
    this.#lastTickAt = passed > 1 ? now : this.#lastTickAt + TICK_MS;
    for (let i = 0; i < passed; i++) {
      this.#tick++;
      this.#missed = passed - i - 1;
      const slot = this.#slots[this.#tick % SLOTS]!;
      for (let j = slot.length - 1; j >= 0; j--) {
        const timed = slot[j];
        if (timed === undefined || timed.wheelTick !== this.#tick) continue;
        this.clear(timed);
        timed.onDeadline();
      }
    }
    if (this.#size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }
}
