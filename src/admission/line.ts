// A line of things: they come at its end, and leave from anywhere in it at no cost that grows with its length. A Map keeps an order too, but
// looking for its first entry costs more with each one that was deleted before it.

/** What stands in a line. The two fields are the line's. */
export interface Standing<T> {
  before: T | null;
  behind: T | null;
}

export class Line<T extends Standing<T>> {
  /** Whoever stands here longest. */
  first: T | null = null;
  #last: T | null = null;

  push(item: T): void {
    item.before = this.#last;
    item.behind = null;
    if (this.#last === null) this.first = item;
    else this.#last.behind = item;
    this.#last = item;
  }

  /** It must stand in this line. */
  remove(item: T): void {
    const { before, behind } = item;
    if (before === null) this.first = behind;
    else before.behind = behind;
    if (behind === null) this.#last = before;
    else behind.before = before;
    item.before = null;
    item.behind = null;
  }
}
