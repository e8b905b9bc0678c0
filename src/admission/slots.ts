// What is left of keys that a full table has forgotten: moments in a fixed number of slots, each shared by the keys of one hash.

import type { Key } from "./keys.ts";

const SLOTS = 4096;

export class Slots {
  readonly #moments = new Float64Array(SLOTS);
  /** Different in each process: nobody can choose a key that falls upon another one's. */
  readonly #seed = (Math.random() * 0x1_0000_0000) >>> 0;

  get(key: Key): number {
    return this.#moments[this.#slotOf(key)]!;
  }

  set(key: Key, moment: number): void {
    this.#moments[this.#slotOf(key)] = moment;
  }

  /** The later of what is there and `moment`. */
  raise(key: Key, moment: number): void {
    const slot = this.#slotOf(key);
    this.#moments[slot] = Math.max(this.#moments[slot]!, moment);
  }

  #slotOf(key: Key): number {
    let hash = this.#seed;
    if (typeof key === "number") hash = Math.imul(hash ^ key, 0x9e3779b1);
    else for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) & (SLOTS - 1);
  }
}
