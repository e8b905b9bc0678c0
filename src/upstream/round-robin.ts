// wrr: the servers in turn, each as often as its weight says.

import type { Phase, Pool, Tried } from "./pool.ts";
import type { Strategy } from "./strategy.ts";

/**
 * Smooth weighted round robin, as in nginx: in any run of sum(weights) choices each server comes exactly `weight` times, and not all at
 * once. Who cannot be chosen gains nothing meanwhile, so it does not come back with a crowd.
 */
export class RoundRobin implements Strategy {
  readonly #current: Float64Array;
  #next: number;

  /** `start` spreads the first connections of several workers over the servers. */
  constructor(pool: Pool, start: number) {
    this.#current = new Float64Array(pool.size);
    this.#next = pool.size === 0 ? 0 : start % pool.size;
    if (!pool.isEven) for (let turn = 0; turn < start; turn++) this.pick(pool, "up", null);
  }

  pick(pool: Pool, phase: Phase, tried: Tried): number {
    return pool.isEven ? this.#inTurn(pool, phase, tried) : this.#byWeight(pool, phase, tried);
  }

  #inTurn(pool: Pool, phase: Phase, tried: Tried): number {
    for (let looked = 0; looked < pool.size; looked++) {
      const index = this.#next;
      this.#next = index + 1 === pool.size ? 0 : index + 1;
      if (pool.isFree(index, phase, tried)) return index;
    }
    return -1;
  }

  #byWeight(pool: Pool, phase: Phase, tried: Tried): number {
    if (phase === "up" && tried === null && pool.isSteady) {
      // Mostly the first of all is well: then the others need not be asked how they are.
      const first = this.#first(pool.weights);
      if (pool.isFree(first, phase, tried)) {
        this.#current[first]! -= pool.total;
        return first;
      }
      this.#takeBack(pool.weights);
    }
    const marks = pool.mark(phase, tried);
    const weights = pool.weigh();
    const current = this.#current;
    const { size } = pool;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (let index = 0; index < size; index++) {
      if (marks[index] === 0) continue;
      const weight = weights[index]!;
      const value = current[index]! + weight;
      current[index] = value;
      total += weight;
      if (value > most) {
        most = value;
        best = index;
      }
    }
    if (best >= 0) current[best]! -= total;
    return best;
  }

  /** Gives each server its weight, and finds the one that has most. */
  #first(weights: Float64Array): number {
    const current = this.#current;
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < current.length; index++) {
      const value = current[index]! + weights[index]!;
      current[index] = value;
      if (value > most) {
        most = value;
        best = index;
      }
    }
    return best;
  }

  #takeBack(weights: Float64Array): void {
    const current = this.#current;
    for (let index = 0; index < current.length; index++) current[index] = current[index]! - weights[index]!;
  }
}
