// Names of brokers to addresses. Every dial asks again, at most once in a few seconds per name: a broker that is recreated with
// a new address is found within 5 s, and a storm of dials does not become a storm of queries.

import { lookup } from "node:dns";
import { isIP } from "node:net";

/** How long an answer is used, in milliseconds. */
const FRESH_MS = 3000;
/** Names come from the configuration; this bound only keeps the names of former configurations from gathering. */
const MAX_NAMES = 10_000;

type Answer = (addresses: readonly string[]) => void;

interface Entry {
  addresses: readonly string[];
  askedAt: number;
  waiting: Answer[] | null;
}

export class Resolver {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Every address of `host`, in the system's order; none when it does not resolve. May answer at once. */
  resolve(host: string, answer: Answer): void {
    if (isIP(host) !== 0) {
      answer([host]);
      return;
    }
    let entry = this.#entries.get(host);
    if (entry?.waiting) {
      entry.waiting.push(answer);
      return;
    }
    if (entry !== undefined && entry.addresses.length > 0 && this.#now() - entry.askedAt < FRESH_MS) {
      answer(entry.addresses);
      return;
    }
    if (entry === undefined) {
      if (this.#entries.size >= MAX_NAMES) this.#entries.clear();
      entry = { addresses: [], askedAt: 0, waiting: null };
      this.#entries.set(host, entry);
    }
    const asked = entry;
    asked.waiting = [answer];
    lookup(host, { all: true, verbatim: true }, (error, found) => {
      asked.addresses = error ? [] : [...new Set(found.map((each) => each.address))];
      asked.askedAt = this.#now();
      const waiting = asked.waiting ?? [];
      asked.waiting = null;
      for (const each of waiting) each(asked.addresses);
    });
  }
}
