// Routes from Redis: all values as of one moment, then only the keys that Redis says have changed.

import type { RedisConfig } from "../../config/providers/redis.ts";
import type { Engine, EngineRemark, Entry, Reading } from "../engine.ts";
import { pause } from "../pause.ts";
import { escapePattern, type Hearing, Session } from "./session.ts";

/** Keys in one answer of SCAN. */
const SCAN_COUNT = 1000;
/** A root key below which there are more is not Sluice's. */
const MAX_KEYS = 1_000_000;
/** A reading takes in what changes meanwhile, but so often at most. */
const MAX_ROUNDS = 20;
/** How often the names are read until they do not change meanwhile. */
const MAX_SCANS = 5;
/** Everything is read again so often. Of FLUSHDB keyspace events do not tell; tracking tells of everything. Milliseconds. */
const RESYNC_MS = { tracking: 600_000, events: 60_000 } as const;

interface Opened {
  readonly session: Session;
  readonly hearing: Hearing;
}

export class RedisEngine implements Engine {
  readonly name = "redis";
  readonly place: string;
  readonly #config: RedisConfig;
  readonly #prefix: string;
  #opened: Opened | null = null;
  /** By their keys, as they were read last. */
  #entries = new Map<string, Entry>();
  /** Keys that have changed since; null: any may have. */
  #changed: Set<string> | null = null;
  #tell: () => void = () => {};

  constructor(config: RedisConfig) {
    const { endpoints, db, rootKey, sentinel } = config;
    this.#config = config;
    this.#prefix = `${rootKey}/`;
    const master = sentinel === undefined ? "" : ` ${sentinel.masterName}`;
    this.place = `redis${master} ${endpoints.join(",")}/${db}/${rootKey}`;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    try {
      const { session, hearing } = (this.#opened ??= await this.#open(signal));
      let rounds = 0;
      do {
        const changed = this.#changed;
        this.#changed = new Set();
        if (changed === null || hearing.kind === "none") await this.#readAll(session, hearing.kind === "none");
        else await this.#update(session, [...changed]);
        // What came about meanwhile is heard of then, and may be the other half of what was read.
        if (hearing.kind !== "none") await session.catchUp();
      } while (this.#changed !== null && this.#changed.size > 0 && ++rounds < MAX_ROUNDS);
      signal.throwIfAborted();
      return { content: [...this.#entries.values()], remarks: remarksOf(hearing, this.place, this.#config.poll) };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    const opened = this.#opened;
    if (opened === null) throw new Error("the connection has ended");
    const { session, hearing } = opened;
    this.#tell = changed;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    // What has changed since the reading was heard of already.
    if (hearing.kind !== "none" && this.#changed?.size !== 0) changed();
    const timer = setInterval(
      () => {
        this.#changed = null;
        changed();
      },
      hearing.kind === "none" ? this.#config.poll : RESYNC_MS[hearing.kind],
    );
    let failure: Error | null = null;
    session.ended.then((error) => {
      failure = error;
      over.abort();
    });
    try {
      await pause(2 ** 31 - 1, until);
    } finally {
      clearInterval(timer);
      this.#tell = () => {};
      this.#close();
    }
    if (failure !== null) throw failure;
  }

  async close(): Promise<void> {
    this.#close();
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    this.#changed = null;
    const session = await Session.open(this.#config, signal);
    try {
      const hearing = await session.listen(this.#prefix, this.#config.db, { changed: (key) => this.#note(key) });
      return { session, hearing };
    } catch (error) {
      session.close();
      throw error;
    }
  }

  #close(): void {
    this.#opened?.session.close();
    this.#opened = null;
    this.#changed = null;
  }

  #note(key: string | null): void {
    if (key === null) this.#changed = null;
    else if (!key.startsWith(this.#prefix)) return;
    else this.#changed?.add(key);
    this.#tell();
  }

  /** `isDeaf`: nobody says what changes between the names and the values, so the names are read until they are the same twice. */
  async #readAll(session: Session, isDeaf: boolean): Promise<void> {
    let keys = await this.#scan(session);
    let values = await valuesOf(session, keys);
    for (let n = 1; isDeaf && n < MAX_SCANS; n++) {
      const again = await this.#scan(session);
      if (again.length === keys.length && again.every((key, index) => key === keys[index])) break;
      keys = again;
      values = await valuesOf(session, keys);
    }
    const former = this.#entries;
    this.#entries = new Map();
    for (const [index, key] of keys.entries()) this.#set(key, values[index] ?? null, former.get(key));
  }

  async #update(session: Session, keys: readonly string[]): Promise<void> {
    const values = await valuesOf(session, keys);
    for (const [index, key] of keys.entries()) this.#set(key, values[index] ?? null, this.#entries.get(key));
  }

  /** An entry that says the same stays the same object. */
  #set(key: string, value: string | null, former: Entry | undefined): void {
    if (value === null) this.#entries.delete(key);
    else if (former?.value === value) this.#entries.set(key, former);
    else this.#entries.set(key, { path: key.slice(this.#prefix.length), value, place: `redis ${key}` });
  }

  /** The names of all keys below the root key, in order. */
  async #scan({ commands }: Session): Promise<string[]> {
    const keys = new Set<string>();
    const pattern = `${escapePattern(this.#prefix)}*`;
    let cursor = "0";
    do {
      const [next, found] = await commands.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
      cursor = next;
      for (const key of found) keys.add(key);
      if (keys.size > MAX_KEYS) throw new Error(`there are more than ${MAX_KEYS} keys below ${this.#prefix}`);
    } while (cursor !== "0");
    return [...keys].sort();
  }
}

/** All values as of one moment; null for a key that is gone, or is no string. */
async function valuesOf({ commands }: Session, keys: readonly string[]): Promise<(string | null)[]> {
  return keys.length === 0 ? [] : await commands.mget([...keys]);
}

function remarksOf(hearing: Hearing, place: string, poll: number): EngineRemark[] {
  if (hearing.kind !== "none") return [];
  const message = `changes are looked for every ${poll / 1000} s, because Redis cannot tell of them: ${hearing.why}`;
  return [{ severity: "warning", code: "provider-deaf", place, message }];
}
