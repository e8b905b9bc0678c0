// When a child that has died may start again: at once after a good life, later and later in a crash loop.

/** A child that lived this long was healthy. Milliseconds. */
const HEALTHY_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

export class Restarts {
  #wait = 0;

  /** Milliseconds to wait before the next start: 0, then 0.5 s, 1 s, 2 s ... 30 s while lives stay short. */
  next(livedMs: number): number {
    if (livedMs >= HEALTHY_MS) this.#wait = 0;
    const wait = this.#wait;
    this.#wait = wait === 0 ? FIRST_WAIT_MS : Math.min(LONGEST_WAIT_MS, wait * 2);
    return wait;
  }
}
