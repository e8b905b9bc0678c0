// Waiting until all workers have a version of the configuration.

export class Settling {
  readonly #lacking: (version: number) => readonly number[];
  readonly #checks = new Set<() => void>();

  /** `lacking`: the numbers of the workers that do not have a version. */
  constructor(lacking: (version: number) => readonly number[]) {
    this.#lacking = lacking;
  }

  /** Resolves to true when none lacks this version; after `patienceMs`, null is for ever, to false. */
  settled(version: number, patienceMs: number | null): Promise<boolean> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.#lacking(version).length === 0) done(true);
      };
      const done = (areSettled: boolean) => {
        if (timer !== null) clearTimeout(timer);
        this.#checks.delete(check);
        resolve(areSettled);
      };
      const timer = patienceMs === null ? null : setTimeout(() => done(false), patienceMs);
      this.#checks.add(check);
      check();
    });
  }

  /** To be called when a worker has another version, or is gone. */
  look(): void {
    for (const check of this.#checks) check();
  }
}
