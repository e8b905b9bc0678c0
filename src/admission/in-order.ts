// Those who wait for a place that counts give, by key, in the order of their coming: who comes does not pass who waits.

import type { Counts } from "./counts.ts";
import type { Key } from "./keys.ts";
import { Line, type Standing } from "./line.ts";

/** A place; it is given back once. */
export interface PlaceHeld {
  release(): void;
}

class Ticket implements Standing<Ticket>, PlaceHeld {
  before: Ticket | null = null;
  behind: Ticket | null = null;
  readonly key: Key;
  readonly #all: InOrder;
  /** null: it does not wait. */
  go: (() => void) | null;
  lease: PlaceHeld | null = null;

  constructor(key: Key, all: InOrder, go: () => void) {
    this.key = key;
    this.#all = all;
    this.go = go;
  }

  /** Gives its place back, or leaves the line. */
  release(): void {
    this.#all.leave(this);
  }
}

export class InOrder {
  readonly #counts: Counts;
  readonly #lines = new Map<Key, Line<Ticket>>();
  #size = 0;

  constructor(counts: Counts) {
    this.#counts = counts;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** `go` is called when there is a place, which may be within this call. It must not throw. */
  enter(key: Key, go: () => void): PlaceHeld {
    const ticket = new Ticket(key, this, go);
    const line = this.#lines.get(key);
    if (line === undefined && this.#admit(ticket)) {
      ticket.go = null;
      go();
      return ticket;
    }
    if (line === undefined) this.#lines.set(key, new Line());
    this.#lines.get(key)!.push(ticket);
    this.#size++;
    return ticket;
  }

  leave(ticket: Ticket): void {
    if (ticket.go !== null) this.#remove(ticket);
    else if (ticket.lease !== null) {
      ticket.lease.release();
      ticket.lease = null;
      this.#advance(ticket.key);
    }
  }

  /** Other workers may have given places back. */
  look(): void {
    for (const key of [...this.#lines.keys()]) this.#advance(key);
  }

  #advance(key: Key): void {
    for (let first = this.#lines.get(key)?.first; first; first = this.#lines.get(key)?.first) {
      if (!this.#admit(first)) return;
      const go = first.go!;
      this.#remove(first);
      go();
    }
  }

  #admit(ticket: Ticket): boolean {
    ticket.lease = this.#counts.take(ticket.key);
    return ticket.lease !== null;
  }

  #remove(ticket: Ticket): void {
    const line = this.#lines.get(ticket.key)!;
    line.remove(ticket);
    ticket.go = null;
    this.#size--;
    if (line.first === null) this.#lines.delete(ticket.key);
  }
}
