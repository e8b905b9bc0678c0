// Writing into Consul's key-value store.

import type { Entry } from "../engine.ts";
import type { StoreWriter, Write } from "../kv/writer.ts";
import { quoteAnswer, StoreHttp, textOf } from "../store-http.ts";
import { ConsulEngine, type ConsulOptions } from "./engine.ts";

/** Consul's own limits. A check counts too. */
const MOST_OPERATIONS = 64;
const MOST_BYTES = 400_000;

export class ConsulWriter implements StoreWriter {
  readonly #options: ConsulOptions;
  readonly #http: StoreHttp;
  readonly #engine: ConsulEngine;
  readonly #signal = new AbortController().signal;

  constructor(options: ConsulOptions) {
    this.#options = options;
    this.#http = new StoreHttp(options.endpoints, options.tls);
    this.#engine = new ConsulEngine(options);
  }

  async read(): Promise<readonly Entry[]> {
    return (await this.#engine.read(this.#signal)).content as readonly Entry[];
  }

  fitting(writes: readonly Write[]): number {
    const most = MOST_OPERATIONS - 1;
    let bytes = 0;
    const over = writes.slice(0, most).findIndex(({ path, value }) => {
      bytes += Buffer.byteLength(path) + Math.ceil(Buffer.byteLength(value ?? "") * 1.4) + 100;
      return bytes > MOST_BYTES;
    });
    return over < 0 ? Math.min(writes.length, most) : Math.max(over, 1);
  }

  async write(writes: readonly Write[], unless?: string): Promise<void> {
    const { rootKey, namespace, token } = this.#options;
    const of = (path: string) => ({
      Key: `${rootKey}/${path}`,
      ...(namespace === undefined ? {} : { Namespace: namespace }),
    });
    const checks = unless === undefined ? [] : [{ KV: { Verb: "check-not-exists", ...of(unless) } }];
    const operations = writes.map(({ path, value }) => ({
      KV:
        value === null
          ? { Verb: "delete", ...of(path) }
          : { Verb: "set", ...of(path), Value: Buffer.from(value).toString("base64") },
    }));
    const answer = await this.#http.ask("/v1/txn", {
      method: "PUT",
      body: JSON.stringify([...checks, ...operations]),
      signal: this.#signal,
      headers: token === undefined || token === "" ? {} : { "x-consul-token": token },
    });
    const text = await textOf(answer);
    if (answer.response.ok) return;
    const { status } = answer.response;
    if (status === 403 || /permission denied/i.test(text))
      throw new Error(
        `${answer.endpoint}: the token must be allowed to write: key_prefix "${rootKey}/" { policy = "write" }`,
      );
    throw new Error(`${answer.endpoint} refuses with status ${status}: ${quoteAnswer(text)}`);
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }
}
