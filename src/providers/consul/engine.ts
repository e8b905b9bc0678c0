// Routes from Consul's key-value store: all keys in one answer, and a blocking query that ends when one of them changes.

import type { Engine, Entry, Reading } from "../engine.ts";
import { type Answer, jsonOf, quoteAnswer, StoreHttp, textOf } from "../store-http.ts";
import type { StoreTls } from "../store-tls.ts";

export interface ConsulOptions {
  /** host:port. */
  readonly endpoints: readonly string[];
  readonly rootKey: string;
  readonly token?: string | undefined;
  /** One of Consul Enterprise's. */
  readonly namespace?: string | undefined;
  readonly tls?: StoreTls | undefined;
}

/** How long Consul may keep a query that has nothing to say. It adds up to a sixteenth. */
const WAIT_S = 60;
/** Longer than the longest wait. Milliseconds. */
const WAIT_TIMEOUT_MS = 75_000;

interface KeyValue {
  readonly Key: string;
  /** Base64. */
  readonly Value: string | null;
}

export class ConsulEngine implements Engine {
  readonly name: string;
  readonly place: string;
  readonly #options: ConsulOptions;
  readonly #http: StoreHttp;
  readonly #prefix: string;
  /** By their names, as they were read last. */
  #entries = new Map<string, Entry>();
  /** Of what was read last. */
  #index = 0;

  constructor(options: ConsulOptions) {
    this.#options = options;
    this.#http = new StoreHttp(options.endpoints, options.tls);
    this.#prefix = `${options.rootKey}/`;
    this.name = options.namespace === undefined ? "consul" : `consul-${options.namespace}`;
    this.place = `${this.name} ${options.endpoints.join(",")}`;
  }

  /** One answer is of one moment. */
  async read(signal: AbortSignal): Promise<Reading> {
    const { answer, index } = await this.#query({ recurse: "", consistent: "" }, signal);
    // What the token may not read Consul leaves out without a word; asked for one key it says so.
    const probe = await this.#query({}, signal);
    if (probe.answer !== null) await textOf(probe.answer);
    const keys = answer === null ? [] : await jsonOf<readonly KeyValue[]>(answer);
    const entries = new Map<string, Entry>();
    for (const { Key, Value } of keys) {
      const path = Key.slice(this.#prefix.length);
      // A "folder" of the user interface says nothing.
      if (path === "" || path.endsWith("/")) continue;
      const value = Value === null ? "" : Buffer.from(Value, "base64").toString("utf8");
      const former = this.#entries.get(Key);
      // The same object is the same to whoever decodes it.
      entries.set(Key, former?.value === value ? former : { path, value, place: `${this.name} ${Key}` });
    }
    this.#entries = entries;
    this.#index = index;
    return { content: [...entries.values()] };
  }

  /** Asks for the names on the first level alone: the answer is small, and comes when any key below them changes. */
  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    let index = this.#index;
    while (!signal.aborted) {
      const wait = { keys: "", separator: "/", index: String(index), wait: `${WAIT_S}s` };
      const { answer, index: now } = await this.#query(wait, signal, WAIT_TIMEOUT_MS);
      if (answer !== null) await textOf(answer);
      if (now !== index) changed();
      // An index that goes back, as after a loss of everything, begins anew; one of 0 would not wait.
      index = now < index ? 1 : Math.max(now, 1);
    }
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }

  /** `answer` is null where there is no key. @throws when it cannot be had, or not all of it may be read. */
  async #query(
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
    timeoutMs?: number,
  ): Promise<{ answer: Answer | null; index: number }> {
    const { token, namespace } = this.#options;
    const words = new URLSearchParams({ ...query, ...(namespace === undefined ? {} : { ns: namespace }) });
    // Steps of the root key are quoted, not the slashes between them.
    const path = this.#prefix.split("/").map(encodeURIComponent).join("/");
    const answer = await this.#http.ask(`/v1/kv/${path}?${words}`, {
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      headers: token === undefined || token === "" ? {} : { "x-consul-token": token },
    });
    const { status, headers } = answer.response;
    if (headers.get("x-consul-results-filtered-by-acls") === "true") throw new Error(this.#forbidden(answer));
    const index = Number(headers.get("x-consul-index") ?? 0);
    if (status === 404 && headers.has("x-consul-index")) {
      await textOf(answer);
      return { answer: null, index };
    }
    if (status === 403) throw new Error(`${this.#forbidden(answer)} (${quoteAnswer(await textOf(answer))})`);
    if (status !== 200)
      throw new Error(`${answer.endpoint} answers with status ${status}: ${quoteAnswer(await textOf(answer))}`);
    return { answer, index };
  }

  #forbidden({ endpoint }: Answer): string {
    return `${endpoint}: the token must be allowed to read: key_prefix "${this.#prefix}" { policy = "read" }`;
  }
}
