// Waiting that can be cut short.

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Tries again after 1 s, then after twice as long each time, up to 30 s; by chance a quarter more or less, so that many do not come at once. */
export class BackOff {
  static readonly MOST_MS = 30_000;
  readonly #leastMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(leastMs = 1000, random: () => number = Math.random) {
    this.#leastMs = leastMs;
    this.#random = random;
  }

  /** How long to wait after one more failure. Milliseconds. */
  next(): number {
    const ms = Math.min(BackOff.MOST_MS, this.#leastMs * 2 ** this.#failures++);
    return ms * (0.75 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
