// hrw: highest random weight, or rendezvous hashing. Each client has an order of all servers of its own, and goes to the first that can be
// chosen. So only the clients of a server that is down go elsewhere, each to its own second, and they come back to it; one of N servers
// more takes 1/N of the clients, and no other moves.

import { hashText, mix } from "./hashing.ts";
import type { Phase, Pool, Tried } from "./pool.ts";
import type { Strategy } from "./strategy.ts";

export class Rendezvous implements Strategy {
  readonly #seeds: Int32Array;
  /** For clients of whom nothing is known to tell them apart by. */
  readonly #otherwise: Strategy;

  constructor(pool: Pool, otherwise: Strategy) {
    this.#seeds = seedsOf(pool.targets.map(({ server }) => server.address));
    this.#otherwise = otherwise;
  }

  pick(pool: Pool, phase: Phase, tried: Tried, key: string): number {
    if (key === "") return this.#otherwise.pick(pool, phase, tried, key);
    const hash = hashText(key);
    if (phase === "up" && tried === null) {
      // Mostly the first of all is well: then the others need not be asked how they are.
      const first = this.#best(pool, hash, null);
      if (first < 0 || pool.isFree(first, phase, tried)) return first;
    }
    return this.#best(pool, hash, pool.mark(phase, tried));
  }

  #best(pool: Pool, hash: number, marks: Uint8Array | null): number {
    return pool.isEven ? this.#highest(hash, marks) : this.#heaviest(pool.weights, hash, marks);
  }

  #highest(hash: number, marks: Uint8Array | null): number {
    const seeds = this.#seeds;
    let best = -1;
    let highest = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < seeds.length; index++) {
      const value = mix(hash ^ seeds[index]!);
      if (value > highest && (marks === null || marks[index] === 1)) {
        highest = value;
        best = index;
      }
    }
    return best;
  }

  /**
   * Each server gets clients in proportion to its weight with the value weight / -ln(u), where u is its hash as a number between 0 and 1
   * (Schindelhauer and Schomaker, 2005). -ln(u) is more than 1 - u, which mostly shows that a server is not the best without a logarithm.
   */
  #heaviest(weights: Float64Array, hash: number, marks: Uint8Array | null): number {
    const seeds = this.#seeds;
    let best = -1;
    let most = 0;
    for (let index = 0; index < seeds.length; index++) {
      if (marks !== null && marks[index] === 0) continue;
      const u = ((mix(hash ^ seeds[index]!) >>> 0) + 0.5) / 2 ** 32;
      const weight = weights[index]!;
      if (weight <= most * (1 - u)) continue;
      const value = weight / -Math.log(u);
      if (value > most) {
        most = value;
        best = index;
      }
    }
    return best;
  }
}

/** By address, so that the order of the servers in the file is nothing to it. Two servers with the same hash would be one. */
function seedsOf(addresses: readonly string[]): Int32Array {
  const taken = new Set<number>();
  return Int32Array.from(addresses, (address) => {
    let seed = hashText(address);
    while (taken.has(seed)) seed = mix(seed + 1);
    taken.add(seed);
    return seed;
  });
}
