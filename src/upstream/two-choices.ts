// p2c: of two servers drawn by their weights, the one with fewer connections for its weight. It is nearly as even as leastconn, and workers
// that do not know of each other's newest connections do not all go to the same server.

import type { Phase, Pool, Tried } from "./pool.ts";
import type { Strategy } from "./strategy.ts";

/** Draws after which the servers that can be chosen are looked for one by one. */
const MAX_DRAWS = 8;

export class TwoChoices implements Strategy {
  /** The sum of the weights up to each server. */
  readonly #sums: Float64Array;
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to 1. */
  constructor(pool: Pool, random: () => number) {
    this.#random = random;
    this.#sums = new Float64Array(pool.size);
    let sum = 0;
    for (let index = 0; index < pool.size; index++) this.#sums[index] = sum += pool.weights[index]!;
  }

  pick(pool: Pool, phase: Phase, tried: Tried): number {
    let one = -1;
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const index = this.#draw();
      if (index === one || !pool.isFree(index, phase, tried)) continue;
      if (one >= 0) return lighter(pool, one, index);
      one = index;
    }
    // Few can be chosen, or one has nearly all the weight.
    const marks = pool.mark(phase, tried);
    if (one < 0) one = this.#drawMarked(pool, marks, -1);
    if (one < 0) return -1;
    const other = this.#drawMarked(pool, marks, one);
    return other < 0 ? one : lighter(pool, one, other);
  }

  #draw(): number {
    const sums = this.#sums;
    const wanted = this.#random() * (sums[sums.length - 1] ?? 0);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** -1: none is marked but `without`. */
  #drawMarked(pool: Pool, marks: Uint8Array, without: number): number {
    let total = 0;
    for (let index = 0; index < pool.size; index++)
      if (marks[index] === 1 && index !== without) total += pool.weights[index]!;
    let wanted = this.#random() * total;
    let found = -1;
    for (let index = 0; index < pool.size && wanted >= 0; index++) {
      if (marks[index] === 0 || index === without) continue;
      found = index;
      wanted -= pool.weights[index]!;
    }
    return found;
  }
}

function lighter(pool: Pool, one: number, other: number): number {
  return pool.load(other) < pool.load(one) ? other : one;
}
