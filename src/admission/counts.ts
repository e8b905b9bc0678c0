// How many of something each key has at a time, in this worker and in all others, and the limit for it.
//
// A worker tells of a key when it has more than limit/(2W) of it, W being the number of workers, or when another one has told of it. So
// ordinary clients are never told of, all workers tell of a key before their sum is over half the limit, and what comes in above the limit
// is what comes while a message is under way.

import type { Key } from "./keys.ts";

/** What one key has. It is the lease too: each of its releases gives one back. */
class Counted {
  readonly key: Key;
  readonly #all: Counts;
  open = 0;
  /** What the other workers have, as far as they have told. */
  elsewhere = 0;
  /** What the others know of `open`. */
  told = 0;

  constructor(key: Key, all: Counts) {
    this.key = key;
    this.#all = all;
  }

  release(): void {
    this.open--;
    this.#all.settle(this);
  }
}

export interface CountsSettings {
  /** The most of one key at a time, over all workers. 0 refuses everybody. */
  readonly limit: number;
  /** Keys of other workers that are remembered. What comes to this worker is bounded by its connections. */
  readonly maxEntries: number;
}

export class Counts {
  readonly #workers: number;
  readonly #onChange: () => void;
  readonly #entries = new Map<Key, Counted>();
  readonly #changed = new Set<Counted>();
  #settings: CountsSettings;
  /** Keys of other workers for which there was no room. */
  evictions = 0;

  /** `onChange`: there is something to tell the others. */
  constructor(settings: CountsSettings, workers: number, onChange: () => void) {
    this.#settings = settings;
    this.#workers = workers;
    this.#onChange = onChange;
  }

  /** New limits. Who is in stays in. */
  change(settings: CountsSettings): void {
    this.#settings = settings;
    for (const entry of this.#entries.values()) this.settle(entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What the key has now, here and elsewhere. */
  of(key: Key): number {
    const entry = this.#entries.get(key);
    return entry === undefined ? 0 : entry.open + entry.elsewhere;
  }

  /** One more for the key, to be released once; null: it has as many as it may. */
  take(key: Key): { release(): void } | null {
    let entry = this.#entries.get(key);
    if ((entry === undefined ? 0 : entry.open + entry.elsewhere) >= this.#settings.limit) return null;
    if (entry === undefined) this.#entries.set(key, (entry = new Counted(key, this)));
    entry.open++;
    this.settle(entry);
    return entry;
  }

  /** The other workers have so many of it. */
  learn(key: Key, elsewhere: number): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (elsewhere === 0) return;
      if (this.#entries.size >= this.#settings.maxEntries) {
        this.evictions++;
        return;
      }
      this.#entries.set(key, (entry = new Counted(key, this)));
    }
    entry.elsewhere = elsewhere;
    this.settle(entry);
  }

  /** What the others are to know and do not yet; `tell` gets this worker's number of each. */
  report(tell: (key: Key, open: number) => void): void {
    for (const entry of this.#changed) {
      const told = this.#toTell(entry);
      if (told !== entry.told) tell(entry.key, told);
      entry.told = told;
      this.#forget(entry);
    }
    this.#changed.clear();
  }

  /** The keys that the others know something of. */
  *told(): Iterable<Key> {
    for (const { key, told } of this.#entries.values()) if (told > 0) yield key;
  }

  /** An entry has changed. */
  settle(entry: Counted): void {
    if (this.#toTell(entry) === entry.told) return this.#forget(entry);
    this.#changed.add(entry);
    this.#onChange();
  }

  #toTell({ open, elsewhere }: Counted): number {
    if (this.#workers === 1) return 0;
    return elsewhere > 0 || open > this.#settings.limit / (2 * this.#workers) ? open : 0;
  }

  #forget({ key, open, elsewhere, told }: Counted): void {
    if (open === 0 && elsewhere === 0 && told === 0) this.#entries.delete(key);
  }
}
