// Names of brokers to addresses. Every dial asks again, at most once in a few seconds per name: a broker that is recreated with
// a new address is found within 5 s, and a storm of dials does not become a storm of queries.

import { lookup } from "node:dns";
import { isIP } from "node:net";
import { isUnixPath } from "./dial.ts";

/** How long an answer is used, in milliseconds. */
const FRESH_MS = 3000;
/** Names come from the configuration; this bound only keeps the names of former configurations from gathering. */
const MAX_NAMES = 10_000;

/**
 * How long a question may be open, in milliseconds, before it is asked in another way; before dials go on with the addresses that the
 * name had; and before those that have none fail. The system's own patience is 5 s for each try, and one lost datagram costs one.
 */
const PATIENCE_MS = { again: 1000, former: 2500, none: 10_000 } as const;

type Answer = (addresses: readonly string[]) => void;
/** Asks for every address of a host, in the system's order; null when it cannot be had. */
export type Ask = (host: string, answer: (addresses: readonly string[] | null) => void) => void;

interface Entry {
  addresses: readonly string[];
  askedAt: number;
  waiting: Answer[] | null;
}

/** The system's resolver: hosts file, DNS, and whatever else the machine is set to. */
const bySystem: Ask = (host, answer) =>
  lookup(host, { all: true, verbatim: true }, (error, found) =>
    answer(error ? null : found.map((each) => each.address)),
  );

/** c-ares: from a socket of its own, so that the second question does not wait for the first one's answer. */
const byAres: Ask = (host, answer) =>
  void Bun.dns.lookup(host, { backend: "c-ares" }).then(
    (found) => answer(found.map((each) => each.address)),
    () => answer(null),
  );

export class HostLookup {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  readonly #asks: readonly [Ask, Ask];
  readonly #patience: Readonly<Record<keyof typeof PATIENCE_MS, number>>;

  constructor(
    now: () => number = () => performance.now(),
    asks: readonly [Ask, Ask] = [bySystem, byAres],
    patience: Readonly<Record<keyof typeof PATIENCE_MS, number>> = PATIENCE_MS,
  ) {
    this.#now = now;
    this.#asks = asks;
    this.#patience = patience;
  }

  /**
   * Every address of `host`, in the system's order, but IPv6 and IPv4 in turn (RFC 8305 4): a family that does not work costs one try.
   * None when it does not resolve. May answer at once.
   */
  resolve(host: string, answer: Answer): void {
    if (isIP(host) !== 0 || isUnixPath(host)) {
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
    entry.waiting = [answer];
    this.#ask(host, entry);
  }

  /** The first answer that has addresses counts; that there are none, only when nobody who was asked knows any. */
  #ask(host: string, entry: Entry): void {
    const [first, second] = this.#asks;
    let open = 1;
    let settled = false;
    const settle = (addresses: readonly string[]) => {
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      entry.addresses = addresses;
      entry.askedAt = this.#now();
      const waiting = entry.waiting ?? [];
      entry.waiting = null;
      for (const each of waiting) each(addresses);
    };
    const heard = (addresses: readonly string[] | null) => {
      open--;
      if (settled) return;
      if (addresses !== null && addresses.length > 0) settle(inTurn([...new Set(addresses)]));
      else if (open === 0) settle([]);
    };
    const { again, former, none } = this.#patience;
    const timers = [
      setTimeout(() => {
        open++;
        second(host, heard);
      }, again),
      setTimeout(() => {
        if (entry.addresses.length > 0) settle(entry.addresses);
      }, former),
      setTimeout(() => settle([]), none),
    ];
    first(host, heard);
  }
}

/** The first family goes on being the first. */
function inTurn(addresses: readonly string[]): readonly string[] {
  const family = isIP(addresses[0]!);
  const first = addresses.filter((address) => isIP(address) === family);
  if (first.length === addresses.length) return addresses;
  const second = addresses.filter((address) => isIP(address) !== family);
  const turns = Math.max(first.length, second.length);
  return Array.from({ length: turns }, (_, i) => [...first.slice(i, i + 1), ...second.slice(i, i + 1)]).flat();
}
