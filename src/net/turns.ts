// When hundreds of clients come or go at once, one turn of the event loop would be all their handshakes in a row, and clients that
// are connected already would wait for the last of them. So expensive steps are done at once only within a budget of time; above it
// they queue, and each turn of the loop does a few. What the others wait is bounded, and the crowd is served in its order.

import { fault } from "./socket.ts";

/** How long steps may take in a row before the rest must queue, and how long one turn works on the queue. */
const BUDGET_MS = 2;
/** The budget is for this stretch of time: a worker that is merely busy spends less than half of its time in such steps. */
const WINDOW_MS = 4;

const DONE = (): void => {};

export class Turns {
  #waiting: (() => void)[] = [];
  #next = 0;
  #windowEnd = 0;
  #spentMs = 0;
  readonly #now: () => number;

  /** @param now the clock, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Steps that wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** Does `step` now, or in a later turn behind what waits already; it must bear that the world has changed meanwhile. */
  run(step: () => void): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(step);
      return;
    }
    const start = this.#now();
    if (start >= this.#windowEnd) {
      this.#windowEnd = start + WINDOW_MS;
      this.#spentMs = 0;
    } else if (this.#spentMs >= BUDGET_MS) {
      this.#waiting.push(step);
      setImmediate(this.#turn);
      return;
    }
    step();
    this.#spentMs += this.#now() - start;
  }

  readonly #turn = (): void => {
    const until = this.#now() + BUDGET_MS;
    do {
      try {
        const step = this.#waiting[this.#next]!;
        this.#waiting[this.#next++] = DONE; // what it holds is not kept until the queue is empty
        step();
      } catch (error) {
        fault(error); // a defect in one connection's step is no reason to leave the others waiting
      }
    } while (this.#next < this.#waiting.length && this.#now() < until);
    if (this.#next < this.#waiting.length) {
      if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#next);
        this.#next = 0;
      }
      setImmediate(this.#turn);
      return;
    }
    this.#waiting = [];
    this.#next = 0;
  };
}
