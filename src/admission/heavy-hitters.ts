// Who comes most often, of any number of keys, in a table of fixed size (Metwally's "space saving"): whoever has more than a share of
// 1/size of all is in it, and a count may be too high by as much.

import type { Key } from "./keys.ts";

interface Counter {
  count: number;
  /** What it was last counted for. */
  what: string;
}

export class HeavyHitters {
  readonly #size: number;
  readonly #counters = new Map<Key, Counter>();
  /** Of all keys, also of those that are not in the table. */
  total = 0;

  constructor(size: number) {
    this.#size = size;
  }

  add(key: Key, what: string, count = 1): void {
    this.total += count;
    const known = this.#counters.get(key);
    if (known !== undefined) {
      known.count += count;
      known.what = what;
    } else if (this.#counters.size < this.#size) this.#counters.set(key, { count, what });
    else this.#replaceLeast(key, count, what);
  }

  /** The first `most` of them, from the top. */
  top(most: number): { readonly key: Key; readonly count: number; readonly what: string }[] {
    const all = [...this.#counters].map(([key, { count, what }]) => ({ key, count, what }));
    return all.sort((a, b) => b.count - a.count).slice(0, most);
  }

  clear(): void {
    this.#counters.clear();
    this.total = 0;
  }

  #replaceLeast(key: Key, count: number, what: string): void {
    let least: Key | null = null;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [each, { count: has }] of this.#counters) if (has < fewest) [least, fewest] = [each, has];
    this.#counters.delete(least!);
    this.#counters.set(key, { count: fewest + count, what });
  }
}
