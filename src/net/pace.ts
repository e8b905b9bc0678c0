// How many bytes a second: a bucket that may be overdrawn by what was read at once, and then says how long to wait.

/** Bytes per second, and how many may come at once after a pause. */
export interface Rate {
  readonly bytesPerSecond: number;
  readonly burst: number;
}

/**
 * A wait ends up to two ticks of the deadlines late (net/deadlines.ts). A bucket that holds less than what comes in that time would let
 * through less than its rate.
 */
const LEAST_BURST_SECONDS = 0.25;

export class Pace {
  readonly #msPerByte: number;
  /** How long a full bucket takes to fill. */
  readonly #burstMs: number;
  /** When it is full again. Milliseconds. */
  #fullAt = 0;

  constructor({ bytesPerSecond, burst }: Rate) {
    this.#msPerByte = 1000 / bytesPerSecond;
    this.#burstMs = Math.max(burst * this.#msPerByte, LEAST_BURST_SECONDS * 1000);
  }

  /** So many bytes have come. `now` in milliseconds. */
  spend(bytes: number, now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + bytes * this.#msPerByte;
  }

  /** How long until there is something in the bucket; 0: there is. Milliseconds. */
  wait(now: number): number {
    return Math.max(0, this.#fullAt - now - this.#burstMs);
  }
}
