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
    const marks = pool.mark(phase, tried);
    const loads = pool.loads();
    const { size } = pool;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    let index = this.#next;
    for (let looked = 0; looked < size; looked++) {
      if (marks[index] === 1 && loads[index]! < least) {
        least = loads[index]!;
        best = index;
      }
      if (++index === size) index = 0;
    }
    if (best >= 0) this.#next = best + 1 === pool.size ? 0 : best + 1;
    return best;
  }
}
