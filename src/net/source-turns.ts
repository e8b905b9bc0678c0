// Which of this machine's addresses a dial comes from: one after another. One from which nothing can be dialled is left out for a while.

export const NO_SOURCES: readonly string[] = [];

/** Why nothing can be dialled from an address: it has no port left, or is not on this machine. */
export type Spent = "local-ports" | "source-addresses";

/**
 * To find out that an address has no port left, the system looks at every port, which takes milliseconds. So it is not asked again for
 * this long, in milliseconds, however many clients come.
 */
const SPENT_MS = 250;

export class SourceTurns {
  #turn = 0;
  /** They come from the configuration; those that are in no transport any more go when their time is over. */
  readonly #spent = new Map<string, { readonly until: number; readonly why: Spent }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The next one of the family of `address`. null: none is of that family, or all of those are left out; `whyNone` says which. */
  take(sources: readonly string[], address: string): string | null {
    const start = this.#turn++;
    const isIPv6 = address.includes(":");
    for (let i = 0; i < sources.length; i++) {
      const source = sources[(start + i) % sources.length]!;
      if (source.includes(":") === isIPv6 && this.#whySpent(source) === null) return source;
    }
    return null;
  }

  /** Why all those of the family of `address` are left out; null: one is not, or there is none of that family. */
  whyNone(sources: readonly string[], address: string): Spent | null {
    const isIPv6 = address.includes(":");
    let why: Spent | null = null;
    for (const source of sources) {
      if (source.includes(":") !== isIPv6) continue;
      const spent = this.#whySpent(source);
      if (spent === null) return null;
      if (why !== "local-ports") why = spent;
    }
    return why;
  }

  /** Nothing can be dialled from it just now. */
  failed(source: string, why: Spent): void {
    const now = this.#now();
    for (const [each, { until }] of this.#spent) if (until <= now) this.#spent.delete(each);
    this.#spent.set(source, { until: now + SPENT_MS, why });
  }

  #whySpent(source: string): Spent | null {
    if (this.#spent.size === 0) return null;
    const spent = this.#spent.get(source);
    return spent === undefined || spent.until <= this.#now() ? null : spent.why;
  }
}
