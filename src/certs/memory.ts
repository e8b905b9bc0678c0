// What was good last time, to stand in for what is broken now.

/** What sources last gave that could be used, over all loads of a process. */
export class CertificateMemory {
  readonly #good = new Map<string, unknown>();

  recall<T>(key: string): T | undefined {
    return this.#good.get(key) as T | undefined;
  }

  keep(key: string, value: unknown): void {
    this.#good.set(key, value);
  }

  /** Forgets what the configuration does not name any more. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#good.keys()) if (!keys.has(key)) this.#good.delete(key);
  }
}
