// Writing into etcd.

import type { Entry } from "../engine.ts";
import type { StoreWriter, Write } from "../kv/writer.ts";
import { EtcdApi, type EtcdOptions } from "./api.ts";
import { EtcdEngine } from "./engine.ts";
import { TXN } from "./messages.ts";

/** etcd's own limits, unless it was started with others (--max-txn-ops, --max-request-bytes). */
const MOST_WRITES = 128;
const MOST_BYTES = 1_400_000;
/** What a key and a value take beside themselves. */
const OVERHEAD = 32;

export class EtcdWriter implements StoreWriter {
  readonly #api: EtcdApi;
  readonly #engine: EtcdEngine;
  readonly #prefix: string;
  readonly #signal = new AbortController().signal;

  constructor(options: EtcdOptions) {
    this.#api = new EtcdApi(options);
    this.#engine = new EtcdEngine(options);
    this.#prefix = `${options.rootKey}/`;
  }

  async read(): Promise<readonly Entry[]> {
    return (await this.#engine.read(this.#signal)).content as readonly Entry[];
  }

  fitting(writes: readonly Write[]): number {
    let bytes = 0;
    const over = writes.slice(0, MOST_WRITES).findIndex(({ path, value }) => {
      bytes += Buffer.byteLength(this.#prefix + path) + Buffer.byteLength(value ?? "") + OVERHEAD;
      return bytes > MOST_BYTES;
    });
    return over < 0 ? Math.min(writes.length, MOST_WRITES) : Math.max(over, 1);
  }

  async write(writes: readonly Write[], unless?: string): Promise<void> {
    const keyOf = (path: string) => Buffer.from(this.#prefix + path);
    const success = writes.map(({ path, value }) =>
      value === null
        ? { requestDeleteRange: { key: keyOf(path) } }
        : { requestPut: { key: keyOf(path), value: Buffer.from(value) } },
    );
    // Target 1 is the create revision, which is 0 of what is not there.
    const compare = unless === undefined ? [] : [{ result: 0, target: 1, key: keyOf(unless), createRevision: 0 }];
    const { succeeded } = await this.#api.call<{ succeeded: boolean }>(TXN, { compare, success }, this.#signal);
    if (!succeeded) throw new Error("another import has begun at the same time");
  }

  async close(): Promise<void> {
    this.#api.close();
    await this.#engine.close();
  }
}
