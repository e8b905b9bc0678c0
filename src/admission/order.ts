// A list of entries in the order in which they were last used. A Map keeps an order too, but looking for its first entry costs more with
// each one that was deleted before it.

/** What can be in one list at a time; the two fields are the list's. */
export interface Listed<T> {
  before: T | null;
  behind: T | null;
}

export class Order<T extends Listed<T>> {
  /** The one that was used the longest time ago. */
  first: T | null = null;
  #last: T | null = null;

  /** Puts it behind all others. It is in no list. */
  add(entry: T): void {
    entry.before = this.#last;
    if (this.#last === null) this.first = entry;
    else this.#last.behind = entry;
    this.#last = entry;
  }

  remove(entry: T): void {
    if (entry.before === null) this.first = entry.behind;
    else entry.before.behind = entry.behind;
    if (entry.behind === null) this.#last = entry.before;
    else entry.behind.before = entry.before;
    entry.before = entry.behind = null;
  }
}
