// Who has connected and has not come in yet, by address: so that room can be made where there is none. An address that has many of them
// loses one of its own: a flood of silent sockets from one address costs others nothing. Where no address has many, the one goes that
// has come no further for the longest time: many addresses push out a slow client no sooner than their number makes necessary. All steps
// take constant time.

import type { Key } from "./keys.ts";
import { Line, type Standing } from "./line.ts";

/**
 * So many newcomers of one address are not many. A household's devices that come at once are not more suspicious than single ones, and who
 * has a thousand addresses gains no more by it than with eight thousand.
 */
export const FEW = 8;

/** `T` is whoever comes. */
export class Newcomer<T> implements Standing<Newcomer<T>> {
  before: Newcomer<T> | null = null;
  behind: Newcomer<T> | null = null;
  readonly who: T;
  /** Its place among all. */
  readonly place: Place<T> = { before: null, behind: null, newcomer: this };
  /** null: it is none now. */
  group: Group<T> | null = null;

  constructor(who: T) {
    this.who = who;
  }
}

interface Place<T> extends Standing<Place<T>> {
  readonly newcomer: Newcomer<T>;
}

/** The newcomers of one address. */
class Group<T> implements Standing<Group<T>> {
  before: Group<T> | null = null;
  behind: Group<T> | null = null;
  readonly key: Key | null;
  count = 0;
  readonly line = new Line<Newcomer<T>>();

  constructor(key: Key | null) {
    this.key = key;
  }
}

export class Newcomers<T> {
  #size = 0;
  #most = 0;
  readonly #groups = new Map<Key, Group<T>>();
  /** The groups by how many they are. */
  readonly #byCount: Line<Group<T>>[] = [];
  readonly #all = new Line<Place<T>>();

  get size(): number {
    return this.#size;
  }

  /** Addresses that have some. */
  get addresses(): number {
    return this.#groups.size;
  }

  /** How many there are of the address that has most. */
  get most(): number {
    return this.#most;
  }

  /** How many there are of an address. */
  of(key: Key): number {
    return this.#groups.get(key)?.count ?? 0;
  }

  /** It is one from now on; one that is already has its time anew. `key` is its address; null: it is not known yet, and it stands alone. */
  enter(newcomer: Newcomer<T>, key: Key | null): void {
    this.leave(newcomer);
    let group = key === null ? undefined : this.#groups.get(key);
    if (group === undefined) {
      group = new Group<T>(key);
      if (key !== null) this.#groups.set(key, group);
    }
    newcomer.group = group;
    group.line.push(newcomer);
    this.#all.push(newcomer.place);
    this.#size++;
    this.#count(group, group.count + 1);
  }

  /** It has come in, or is gone, or waits for Sluice. */
  leave(newcomer: Newcomer<T>): void {
    const { group } = newcomer;
    if (group === null) return;
    newcomer.group = null;
    group.line.remove(newcomer);
    this.#all.remove(newcomer.place);
    this.#size--;
    this.#count(group, group.count - 1);
    if (group.count === 0 && group.key !== null) this.#groups.delete(group.key);
  }

  /** Who goes first; null: there is nobody. */
  first(): Newcomer<T> | null {
    if (this.#most > FEW) return this.#byCount[this.#most]!.first!.line.first;
    return this.#all.first?.newcomer ?? null;
  }

  /** Who of an address goes first. */
  firstOf(key: Key): Newcomer<T> | null {
    return this.#groups.get(key)?.line.first ?? null;
  }

  /** Steps are of one, so the most falls by one at a time. */
  #count(group: Group<T>, count: number): void {
    if (group.count > 0) this.#byCount[group.count]!.remove(group);
    group.count = count;
    if (count > 0) {
      this.#byCount[count] ??= new Line();
      this.#byCount[count].push(group);
    }
    if (count > this.#most) this.#most = count;
    else if (this.#most > 0 && this.#byCount[this.#most]!.first === null) this.#most--;
  }
}
