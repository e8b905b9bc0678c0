// Writing into Redis: one transaction, however much it is.

import type { RedisConfig } from "../../config/providers/redis.ts";
import type { Entry } from "../engine.ts";
import type { StoreWriter, Write } from "../kv/writer.ts";
import { RedisEngine } from "./engine.ts";
import { Session } from "./session.ts";

export class RedisWriter implements StoreWriter {
  readonly #config: RedisConfig;
  readonly #engine: RedisEngine;
  readonly #signal = new AbortController().signal;

  constructor(config: RedisConfig) {
    this.#config = config;
    this.#engine = new RedisEngine(config);
  }

  async read(): Promise<readonly Entry[]> {
    return (await this.#engine.read(this.#signal)).content as readonly Entry[];
  }

  fitting(writes: readonly Write[]): number {
    return writes.length;
  }

  async write(writes: readonly Write[]): Promise<void> {
    const session = await Session.open(this.#config, this.#signal);
    try {
      const transaction = session.commands.multi();
      for (const { path, value } of writes) {
        const key = `${this.#config.rootKey}/${path}`;
        if (value === null) transaction.del(key);
        else transaction.set(key, value);
      }
      // One that is refused when it is queued refuses all of them; those that are carried out cannot fail.
      const results = await transaction.exec();
      const [failure] = (results ?? []).flatMap(([error]) => (error === null ? [] : [error]));
      if (results === null || failure !== undefined) throw failure ?? new Error("the transaction was refused");
    } finally {
      session.close();
    }
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }
}
