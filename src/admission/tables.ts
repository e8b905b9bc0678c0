// The tables of a worker by their names: a reload keeps them, and what they say to other workers goes together.

import { Counts, type CountsSettings } from "./counts.ts";
import type { Key } from "./keys.ts";
import { Rates, type RatesSettings } from "./rates.ts";

/** What a key of a table has, or has spent. */
export type KeyNumber = readonly [table: string, key: Key, number: number];

/** What workers tell each other of keys. */
export interface KeyShares {
  /** What a key has open, where it is told of; 0: none. To the master this worker's, from the master the sum of all others. */
  readonly open: readonly KeyNumber[];
  /** What a key has spent of its tokens since it was last told. */
  readonly spent: readonly KeyNumber[];
}

/** Entries of a table, unless its settings say otherwise. */
export const MAX_ENTRIES = 65_536;

export interface TableStatus {
  readonly name: string;
  readonly entries: number;
  /** Entries that a full table has let go, since it began. */
  readonly evictions: number;
}

export class Tables {
  /** How many there are. */
  readonly workers: number;
  readonly #tellers: number;
  readonly #clock: () => number;
  readonly #counts = new Map<string, Counts>();
  readonly #rates = new Map<string, Rates>();
  /** What was told of tables that are not here yet, as in a worker that has just begun. */
  readonly #early = new Map<string, KeyNumber[]>();
  /** What the others know of tables that are gone. */
  #gone: KeyNumber[] = [];
  /** There is something to tell the others. */
  onChange: () => void = () => {};

  /**
   * `workers` is their number; `clock` gives milliseconds, as `take` of rates gets them. `tellers` are more than one where a lone worker has
   * something to tell all the same: to those of another generation.
   */
  constructor(workers: number, clock: () => number = () => performance.now(), tellers = workers) {
    this.workers = workers;
    this.#tellers = tellers;
    this.#clock = clock;
  }

  /** The counts of this name, with these settings from now on. */
  counts(name: string, settings: CountsSettings): Counts {
    let counts = this.#counts.get(name);
    if (counts !== undefined) counts.change(settings);
    else {
      counts = new Counts(settings, this.#tellers, () => this.onChange());
      this.#counts.set(name, counts);
      for (const [, key, elsewhere] of this.#early.get(name) ?? []) counts.learn(key, elsewhere);
      this.#early.delete(name);
    }
    return counts;
  }

  /** The rates of this name, with these settings from now on. */
  rates(name: string, settings: RatesSettings): Rates {
    let rates = this.#rates.get(name);
    if (rates === undefined) {
      rates = new Rates(settings, this.workers, () => this.onChange(), this.#tellers);
      this.#rates.set(name, rates);
    } else rates.change(settings);
    return rates;
  }

  /** Forgets the tables that are not wanted any more. What they hold is still released to them. */
  keep(isWanted: (name: string) => boolean): void {
    for (const [name, counts] of this.#counts) {
      if (isWanted(name)) continue;
      for (const key of counts.told()) this.#gone.push([name, key, 0]);
      this.#counts.delete(name);
    }
    for (const name of this.#rates.keys()) if (!isWanted(name)) this.#rates.delete(name);
    this.#early.clear();
    if (this.#gone.length > 0) this.onChange();
  }

  now(): number {
    return this.#clock();
  }

  /** All that the others are to know and do not yet. */
  report(): KeyShares {
    const open = this.#gone;
    this.#gone = [];
    const spent: KeyNumber[] = [];
    for (const [name, counts] of this.#counts) counts.report((key, number) => open.push([name, key, number]));
    for (const [name, rates] of this.#rates) rates.report((key, number) => spent.push([name, key, number]));
    return { open, spent };
  }

  /** What the other workers have told. */
  put({ open, spent }: KeyShares): void {
    for (const told of open) {
      const [name, key, elsewhere] = told;
      const counts = this.#counts.get(name);
      if (counts !== undefined) counts.learn(key, elsewhere);
      else this.#learnEarly(told);
    }
    const now = this.#clock();
    for (const [name, key, tokens] of spent) this.#rates.get(name)?.learn(key, tokens, now);
  }

  #learnEarly(told: KeyNumber): void {
    const list = this.#early.get(told[0]);
    if (list === undefined) this.#early.set(told[0], [told]);
    else if (list.length < MAX_ENTRIES) list.push(told);
  }

  *status(): Iterable<TableStatus> {
    for (const tables of [this.#counts, this.#rates])
      for (const [name, { size, evictions }] of tables) yield { name, entries: size, evictions };
  }
}
