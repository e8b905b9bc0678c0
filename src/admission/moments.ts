// Moments that have been given out and have not come yet, by whose they are: so that nobody has them all. One who leaves keeps his until it
// has come, or he could take moments and leave without end.

import type { Key } from "./keys.ts";
import { Line, type Standing } from "./line.ts";

interface Moment extends Standing<Moment> {
  readonly key: Key;
  readonly at: number;
}

export class Moments {
  /** In the order of coming, which is that of their giving out. */
  readonly #line = new Line<Moment>();
  readonly #counts = new Map<Key, number>();

  /** One more for the key. Milliseconds, not before the last one that was added. */
  add(key: Key, at: number): void {
    this.#line.push({ key, at, before: null, behind: null });
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** How many of the key are still to come. */
  of(key: Key, now: number): number {
    for (let first = this.#line.first; first !== null && first.at <= now; first = this.#line.first) {
      this.#line.remove(first);
      const left = this.#counts.get(first.key)! - 1;
      if (left === 0) this.#counts.delete(first.key);
      else this.#counts.set(first.key, left);
    }
    return this.#counts.get(key) ?? 0;
  }
}
