// leastconn: the server with the fewest connections for its weight.

import type { Phase, Pool, Tried } from "./pool.ts";
import type { Strategy } from "./strategy.ts";

export class LeastConnections implements Strategy {
  /** Of several that are equal the next in turn: workers that know the same would all go to the first. */
  #next: number;

  constructor(pool: Pool, start: number) {
    this.#next = pool.size === 0 ? 0 : start % pool.size;
  }

  pick(pool: Pool, phase: Phase, tried: Tried): number {
    const best = pool.lightest(phase, tried, this.#next);
    if (best >= 0) this.#next = best + 1 === pool.size ? 0 : best + 1;
    return best;
  }
}
