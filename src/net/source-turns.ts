// Which of this machine's addresses a dial comes from: one after another, and those that have no port left are left out for a while.

export const NO_SOURCES: readonly string[] = [];

/** To find out that an address has no port left, the system looks at every port. So it is not asked again for this long. Milliseconds. */
const SPENT_MS = 1000;

export class SourceTurns {
  #turn = 0;
  /** Until when each is left out. They come from the configuration; those that are in no transport any more go when their time is over. */
  readonly #spentUntil = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The next one of the family of `address`; one that is left out only where all of them are. null: none is of that family. */
  take(sources: readonly string[], address: string): string | null {
    const start = this.#turn++;
    return this.#find(sources, address, start, true) ?? this.#find(sources, address, start, false);
  }

  /** Whether there is one for `address` that is not left out. */
  hasOther(sources: readonly string[], address: string): boolean {
    return this.#find(sources, address, 0, true) !== null;
  }

  /** No dial can come from it just now. */
  failed(source: string): void {
    const now = this.#now();
    for (const [each, until] of this.#spentUntil) if (until <= now) this.#spentUntil.delete(each);
    this.#spentUntil.set(source, now + SPENT_MS);
  }

  #find(sources: readonly string[], address: string, start: number, fresh: boolean): string | null {
    const isIPv6 = address.includes(":");
    for (let i = 0; i < sources.length; i++) {
      const source = sources[(start + i) % sources.length]!;
      if (source.includes(":") === isIPv6 && !(fresh && this.#isSpent(source))) return source;
    }
    return null;
  }

  #isSpent(source: string): boolean {
    if (this.#spentUntil.size === 0) return false;
    const until = this.#spentUntil.get(source);
    return until !== undefined && until > this.#now();
  }
}
