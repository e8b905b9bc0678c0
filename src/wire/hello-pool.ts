// What the unfinished hellos of one worker may hold together: one of them is small, but connections are many.

/** Whoever waits for the rest of a hello. */
export interface HelloWaiter {
  /** What it holds is more than there is room for: it must close, and has been forgotten here already. */
  onHelloCut(): void;
}

export class HelloPool {
  /** Bytes that may be held. */
  readonly limit: number;
  /** Bytes held now. */
  held = 0;
  /** Clients that were closed because the limit was reached. */
  cuts = 0;
  readonly #waiters = new Map<HelloWaiter, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /**
   * `waiter` holds this many bytes from now on. Over the limit those that hold most are cut, so that many small hellos, which are
   * what clients send, are not kept out by a few large ones, which are what attackers send.
   */
  hold(waiter: HelloWaiter, bytes: number): void {
    this.held += bytes - (this.#waiters.get(waiter) ?? 0);
    this.#waiters.set(waiter, bytes);
    while (this.held > this.limit) {
      let largest = waiter;
      let most = 0;
      for (const [each, size] of this.#waiters) if (size > most) [largest, most] = [each, size];
      this.release(largest);
      this.cuts++;
      largest.onHelloCut();
    }
  }

  /** It holds nothing any more: its hello is read, or it is gone. */
  release(waiter: HelloWaiter): void {
    this.held -= this.#waiters.get(waiter) ?? 0;
    this.#waiters.delete(waiter);
  }
}
