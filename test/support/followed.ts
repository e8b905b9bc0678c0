// An engine as a provider uses it: read, then watched, and read again each time that something has changed.

import type { Engine, Entry } from "../../src/providers/engine.ts";
import { cleanup, waitFor } from "./tools.ts";

export class Followed {
  readonly engine: Engine;
  /** Every state that was read, as key and value. */
  readonly states: Record<string, string>[] = [];
  /** The entries of the latest. */
  entries: readonly Entry[] = [];
  /** Why reads and watches failed. */
  readonly failures: string[] = [];
  readonly #end = new AbortController();
  #over: Promise<void> = Promise.resolve();
  #stale = false;

  static start(engine: Engine): Followed {
    const followed = new Followed(engine);
    followed.#over = followed.#follow();
    cleanup(() => followed.close());
    return followed;
  }

  private constructor(engine: Engine) {
    this.engine = engine;
  }

  get now(): Record<string, string> | undefined {
    return this.states.at(-1);
  }

  /** Until the store is read to hold exactly this. */
  async until(what: string, wanted: Readonly<Record<string, string>>): Promise<void> {
    await this.untilSo(what, (state) => Bun.deepEquals(state, wanted));
  }

  async untilSo(what: string, isSo: (state: Readonly<Record<string, string>>) => boolean): Promise<void> {
    await waitFor(what, () => this.now !== undefined && isSo(this.now)).catch(() => {
      throw new Error(
        `in vain for ${what}: ${JSON.stringify(this.now)?.slice(0, 500)}, ${[...new Set(this.failures)].join("; ").slice(0, 500)}`,
      );
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#over;
    await this.engine.close();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const round = new AbortController();
      const within = AbortSignal.any([signal, round.signal]);
      try {
        await this.#read(within);
        const reads = this.#readStale(within);
        await this.engine
          .watch(() => {
            this.#stale = true;
          }, within)
          .finally(() => round.abort());
        await reads;
      } catch (error) {
        if (!signal.aborted) this.failures.push((error as Error).message);
        round.abort();
      }
      if (!signal.aborted) await Bun.sleep(20);
    }
  }

  async #readStale(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#stale) await this.#read(signal).catch((error) => this.failures.push((error as Error).message));
      await Bun.sleep(2);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#stale = false;
    const { content } = await this.engine.read(signal);
    this.entries = content as readonly Entry[];
    this.states.push(Object.fromEntries(this.entries.map(({ path, value }) => [path, value])));
  }
}
