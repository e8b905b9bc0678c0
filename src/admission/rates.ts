// How often each key may do something: a token bucket for each, in this worker, that is debited with what the others have spent.
//
// A bucket is one number: the moment when it will be full again (the generic cell rate algorithm, ITU-T I.371). What is full again is
// forgotten, at no loss. A worker tells what a key has spent when that is more than burst/(2W), W being the number of workers, or when
// another worker has told of the key.
//
// Tokens that are taken in advance come from this worker's own part of the rate: in a storm all workers give out moments before they can
// hear of each other, and each would give out the whole rate. So while clients wait, each worker lets them in at rate/W.
//
// A full table lets go of keys that still have a token, the least recently used first. What they have spent stays in a slot that they share
// with others, and a key that comes new begins with what its slot has. So who rotates addresses wins nothing by being forgotten, and
// whoever is at his limit is never forgotten for him. Where all keys are at their limits, new ones are counted by slots.

import type { Key } from "./keys.ts";
import { Line, type Standing } from "./line.ts";
import { Slots } from "./slots.ts";

export interface RatesSettings {
  /** Between two tokens, in milliseconds; above 0. */
  readonly intervalMs: number;
  /** Tokens of a full bucket; at least 1. */
  readonly burst: number;
  readonly maxEntries: number;
}

interface Bucket extends Standing<Bucket> {
  readonly key: Key;
  /** When it is full again. Milliseconds of the clock that `take` gets. */
  fullAt: number;
  /** Spent here since it was last told. */
  spent: number;
  /** Others have told of it: everything is told. */
  isWatched: boolean;
  hasToken: boolean;
}

/** Old entries looked at when a new one comes. */
const SWEEP = 2;

export class Rates {
  readonly #workers: number;
  readonly #tellers: number;
  readonly #onChange: () => void;
  readonly #buckets = new Map<Key, Bucket>();
  readonly #withToken = new Line<Bucket>();
  readonly #without = new Line<Bucket>();
  readonly #slots = new Slots();
  readonly #changed = new Set<Bucket>();
  #settings: RatesSettings;
  /** Keys that were forgotten before their bucket was full, or that found no room. */
  evictions = 0;

  /** `onChange`: there is something to tell the others. `tellers` are the workers, and those of other generations. */
  constructor(settings: RatesSettings, workers: number, onChange: () => void, tellers = workers) {
    this.#settings = settings;
    this.#workers = workers;
    this.#tellers = tellers;
    this.#onChange = onChange;
  }

  /** New rates. What has been spent counts by its time: a bucket is full again when it was to be. */
  change(settings: RatesSettings): void {
    this.#settings = settings;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes a token: 0 when there is one, else how long until there will be (milliseconds). A token that comes within `maxWaitMs` is taken in
   * advance, in the order of asking; Infinity: it comes later, and nothing is taken. Tokens in advance are this worker's part of the rate.
   */
  take(key: Key, now: number, maxWaitMs = 0): number {
    const bucket = this.#find(key) ?? this.#make(key, now);
    const fullAt = Math.max(bucket === null ? this.#slots.get(key) : bucket.fullAt, now);
    const { intervalMs, burst } = this.#settings;
    const wait = Math.max(0, fullAt - now - (burst - 1) * intervalMs);
    if (wait > maxWaitMs) {
      if (bucket !== null) this.#place(bucket, now);
      return Number.POSITIVE_INFINITY;
    }
    const next = fullAt + (wait > 0 ? intervalMs * this.#workers : intervalMs);
    if (bucket === null) this.#slots.set(key, next);
    else {
      bucket.fullAt = next;
      bucket.spent++;
      this.#place(bucket, now);
      this.#tell(bucket);
    }
    return wait;
  }

  /** The other workers have spent so many: the debt is at most one burst, and no reason to come earlier for those who wait here. */
  learn(key: Key, spent: number, now: number): void {
    const bucket = this.#find(key) ?? this.#make(key, now);
    if (bucket === null) return;
    this.#owe(bucket, spent, now);
    bucket.isWatched = true;
    this.#tell(bucket);
  }

  /** What the others are to know and do not yet; `tell` gets what this worker has spent of each since it was last told. */
  report(tell: (key: Key, spent: number) => void): void {
    for (const bucket of this.#changed) {
      if (bucket.spent > 0) tell(bucket.key, bucket.spent);
      bucket.spent = 0;
    }
    this.#changed.clear();
  }

  #find(key: Key): Bucket | undefined {
    return this.#buckets.get(key);
  }

  #owe(bucket: Bucket, tokens: number, now: number): void {
    const { intervalMs, burst } = this.#settings;
    const owed = Math.min(Math.max(bucket.fullAt, now) + tokens * intervalMs, now + 2 * burst * intervalMs);
    bucket.fullAt = Math.max(bucket.fullAt, owed);
    this.#place(bucket, now);
  }

  /** Puts it behind all others of its kind. */
  #place(bucket: Bucket, now: number): void {
    this.#orderOf(bucket).remove(bucket);
    const { intervalMs, burst } = this.#settings;
    bucket.hasToken = bucket.fullAt - now <= (burst - 1) * intervalMs;
    this.#orderOf(bucket).push(bucket);
  }

  #orderOf({ hasToken }: Bucket): Line<Bucket> {
    return hasToken ? this.#withToken : this.#without;
  }

  #forget(bucket: Bucket): void {
    this.#buckets.delete(bucket.key);
    this.#orderOf(bucket).remove(bucket);
  }

  #tell(bucket: Bucket): void {
    if (this.#tellers === 1 || bucket.spent === 0) return;
    if (!bucket.isWatched && bucket.spent <= this.#settings.burst / (2 * this.#tellers)) return;
    this.#changed.add(bucket);
    this.#onChange();
  }

  /** null: there is no room. */
  #make(key: Key, now: number): Bucket | null {
    this.#sweep(now);
    if (this.size >= this.#settings.maxEntries) {
      this.evictions++;
      const oldest = this.#withToken.first;
      if (oldest === null) return null;
      this.#forget(oldest);
      this.#slots.raise(oldest.key, oldest.fullAt);
    }
    const bucket: Bucket = {
      key,
      fullAt: this.#slots.get(key),
      spent: 0,
      isWatched: false,
      hasToken: true,
      before: null,
      behind: null,
    };
    this.#buckets.set(key, bucket);
    this.#withToken.push(bucket);
    return bucket;
  }

  /** Forgets old ones that are full again. */
  #sweep(now: number): void {
    for (let n = 0; n < SWEEP; n++) {
      const { first } = this.#without;
      if (first !== null) {
        if (first.fullAt <= now) this.#forget(first);
        else this.#place(first, now);
      }
      const oldest = this.#withToken.first;
      if (oldest !== null && oldest.fullAt <= now) this.#forget(oldest);
    }
  }
}
