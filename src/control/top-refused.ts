// The addresses whose connections were refused most often, over all workers: one line a minute, and none where nobody was refused.

import { HeavyHitters } from "../admission/heavy-hitters.ts";
import { formatKey } from "../admission/keys.ts";
import type { Logger } from "../observe/logger.ts";
import type { FromWorker } from "../protocol/messages.ts";

const PERIOD_MS = 60_000;
/** Addresses that are told apart. */
const SIZE = 256;
/** Addresses in the line. */
const TOP = 10;

export class TopRefused {
  readonly #logger: Logger;
  readonly #hitters = new HeavyHitters(SIZE);
  #connections = 0;
  readonly #timer = setInterval(() => this.tell(), PERIOD_MS).unref();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  heard({ total, top }: Extract<FromWorker, { type: "refused" }>): void {
    this.#connections += total;
    for (const [key, count, reason] of top) this.#hitters.add(key, reason, count);
  }

  /** Writes what has come since the last time. */
  tell(): void {
    if (this.#connections === 0) return;
    const top = this.#hitters
      .top(TOP)
      .map(({ key, count, what }) => ({ client: formatKey(key, 32, 64) || "gone", connections: count, reason: what }));
    this.#logger.info({ connections: this.#connections, top }, "the addresses that were refused most often");
    this.#hitters.clear();
    this.#connections = 0;
  }

  close(): void {
    clearInterval(this.#timer);
    this.tell();
  }
}
