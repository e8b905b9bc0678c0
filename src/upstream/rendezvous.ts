// hrw: highest random weight, or rendezvous hashing. Each client has an order of all servers of its own, and goes to the first that can be
// chosen. So only the clients of a server that is down go elsewhere, each to its own second, and they come back to it; one of N servers
// more takes 1/N of the clients, and no other moves.

import { hashText, mix } from "./hashing.ts";
import type { Phase, Pool, Tried } from "./pool.ts";
import type { Strategy } from "./strategy.ts";

/** Servers of equal weight: among them a hash decides alone. */
interface Group {
  readonly weight: number;
  /** Their places in the pool, and beside them their seeds. */
  readonly places: Int32Array;
  readonly seeds: Int32Array;
}

export class Rendezvous implements Strategy {
  readonly #groups: readonly Group[];
  /** For clients of whom nothing is known to tell them apart by. */
  readonly #otherwise: Strategy;

  constructor(pool: Pool, otherwise: Strategy) {
    this.#groups = groupsOf(pool);
    this.#otherwise = otherwise;
  }

  pick(pool: Pool, phase: Phase, tried: Tried, key: string): number {
    if (key === "") return this.#otherwise.pick(pool, phase, tried, key);
    const hash = hashText(key);
    if (phase === "up" && tried === null) {
      // Mostly the first of all is well: then the others need not be asked how they are.
      const first = this.#best(hash, null);
      if (first < 0 || pool.isFree(first, phase, tried)) return first;
    }
    return this.#best(hash, pool.mark(phase, tried));
  }

  /**
   * Each server gets clients in proportion to its weight with the value weight / -ln(u), where u is its hash as a number between 0 and 1
   * (Schindelhauer and Schomaker, 2005). Among equal weights that is the order of the hashes, so there is one logarithm for each weight;
   * and -ln(u) is more than 1 - u, which shows of most that they are not the best without one.
   */
  #best(hash: number, marks: Uint8Array | null): number {
    let best = -1;
    let most = 0;
    for (const group of this.#groups) {
      const at = highest(group, hash, marks);
      if (at < 0) continue;
      const { weight, places, seeds } = group;
      const u = (mix(hash ^ seeds[at]!) + 2 ** 31 + 0.5) / 2 ** 32; // in the order of the signed numbers
      if (weight <= most * (1 - u)) continue;
      const value = weight / -Math.log(u);
      if (value <= most) continue;
      most = value;
      best = places[at]!;
    }
    return best;
  }
}

/** Where in the group the server stands that has the highest hash for a client. */
function highest({ places, seeds }: Group, hash: number, marks: Uint8Array | null): number {
  const { length } = seeds;
  let best = -1;
  // All whole numbers of 32 bits: with any other, workers, which run without the last compiler tier, take three times as long.
  let most = -(2 ** 31) | 0;
  for (let at = 0; at < length; at++) {
    // mix(), written out for the same reason.
    let value = hash ^ seeds[at]!;
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    value ^= value >>> 16;
    if (value >= most && (marks === null || marks[places[at]!] === 1)) {
      most = value;
      best = at;
    }
  }
  return best;
}

/** Seeds go by address, so that the order of the servers in the file is nothing to them. Two servers with the same hash would be one. */
function groupsOf({ targets, weights }: Pool): Group[] {
  const taken = new Set<number>();
  const all = targets.map(({ server }, place) => {
    let seed = hashText(server.address);
    while (taken.has(seed)) seed = mix(seed + 1);
    taken.add(seed);
    return { place, seed, weight: weights[place]! };
  });
  return [...Map.groupBy(all, ({ weight }) => weight)].map(([weight, servers]) => ({
    weight,
    places: Int32Array.from(servers, ({ place }) => place),
    seeds: Int32Array.from(servers, ({ seed }) => seed),
  }));
}
