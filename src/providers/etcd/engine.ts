// Routes from etcd: everything once, at one revision, and from there on the events of a watch, each revision as a whole.

import type { Engine, Entry, Reading } from "../engine.ts";
import { EtcdApi, type EtcdOptions, rangeOf } from "./api.ts";
import { type KeyValue, numberOf, RANGE, type RangeAnswer, type WatchAnswer } from "./messages.ts";

/** Keys in one answer. */
const PAGE = 10_000;
/** Of an event. */
const DELETION = 1;
/** Keys below the root: more are no configuration. */
const MAX_KEYS = 1_000_000;
/** A watch whose connection is dead without a word, as behind a NAT that has forgotten it, is replaced so often. Milliseconds. */
const RENEW_MS = 60_000;

/** What is in the store at a revision. */
interface Mirror {
  revision: number;
  /** By their names; null for those that give no entry. */
  readonly keys: Map<string, Entry | null>;
}

export class EtcdEngine implements Engine {
  readonly name = "etcd";
  readonly place: string;
  readonly #api: EtcdApi;
  readonly #prefix: string;
  readonly #renewMs: number;
  #mirror: Mirror | null = null;
  #isWatched = false;

  /** `renewMs`: how long one watch lasts. */
  constructor(options: EtcdOptions, renewMs = RENEW_MS) {
    this.#renewMs = renewMs;
    this.#api = new EtcdApi(options);
    this.#prefix = `${options.rootKey}/`;
    this.place = `etcd ${options.endpoints.join(",")}`;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    if (!this.#isWatched || this.#mirror === null) this.#mirror = await this.#readAll(signal);
    return { content: [...this.#mirror.keys.values()].filter((entry) => entry !== null) };
  }

  /** Follows the mirror's revision, so nothing between `read` and `watch` is lost. */
  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    this.#isWatched = true;
    try {
      while (!signal.aborted) {
        if (await this.#watchOnce(changed, signal)) continue;
        this.#mirror = await this.#readAll(signal);
        changed();
      }
    } finally {
      this.#isWatched = false;
    }
  }

  async close(): Promise<void> {
    this.#api.close();
    this.#mirror = null;
  }

  /** All pages are of one revision, so a transaction is in them as a whole or not at all. */
  async #readAll(signal: AbortSignal): Promise<Mirror> {
    const { key, rangeEnd } = rangeOf(this.#prefix);
    const keys = new Map<string, Entry | null>();
    let from = key;
    let revision = 0;
    for (;;) {
      const request = { key: from, rangeEnd, limit: PAGE, revision };
      const { header, kvs, more } = await this.#api.call<RangeAnswer>(RANGE, request, signal);
      if (revision === 0) revision = numberOf(header.revision);
      for (const kv of kvs) this.#put(keys, kv);
      if (!more || kvs.length === 0) return { revision, keys };
      if (keys.size > MAX_KEYS) throw new Error(`there are more than ${MAX_KEYS} keys below ${this.#prefix}`);
      from = Buffer.concat([kvs.at(-1)!.key, Buffer.alloc(1)]);
    }
  }

  #put(keys: Map<string, Entry | null>, kv: KeyValue): void {
    const name = kv.key.toString();
    const value = kv.value.toString();
    const path = name.slice(this.#prefix.length);
    const former = this.#mirror?.keys.get(name);
    // A "folder" of some user interface says nothing.
    if (path === "" || path.endsWith("/")) keys.set(name, null);
    // The same object is the same to whoever decodes it.
    else keys.set(name, former?.value === value ? former : { path, value, place: `etcd ${name}` });
  }

  /** @returns whether another watch can go on where this one was: the mirror is what the store has. */
  async #watchOnce(changed: () => void, signal: AbortSignal): Promise<boolean> {
    const mirror = this.#mirror;
    if (mirror === null) return false;
    const renewal = new AbortController();
    const timer = setTimeout(() => renewal.abort(), this.#renewMs);
    const within = AbortSignal.any([signal, renewal.signal]);
    try {
      // One that is known already: compaction leaves out deletions of the very revision that it leaves, and a watch from there on would
      // miss them without a word.
      const since = mirror.revision;
      const create = { ...rangeOf(this.#prefix), startRevision: since };
      await this.#api.watch<WatchAnswer>(create, (answer) => this.#take(answer, mirror, since, changed), within);
      return false;
    } catch (error) {
      if (!within.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    return signal.aborted || this.#isCurrent(mirror, signal);
  }

  /** Events up to `since` are in the mirror. @returns false when the watch is of no use any more. */
  #take(answer: WatchAnswer, mirror: Mirror, since: number, changed: () => void): boolean {
    // What came after the mirror's revision is not kept any more: everything is read again.
    if (numberOf(answer.compactRevision) > 0) return false;
    if (answer.canceled) throw new Error(`the store has ended the watch: ${answer.cancelReason}`);
    // An answer holds all events of its revisions.
    const events = answer.events.filter(({ kv }) => numberOf(kv.modRevision) > since);
    for (const { type, kv } of events) {
      if (type === DELETION) mirror.keys.delete(kv.key.toString());
      else this.#put(mirror.keys, kv);
      mirror.revision = Math.max(mirror.revision, numberOf(kv.modRevision));
    }
    if (events.length > 0) changed();
    return true;
  }

  /**
   * Whether the mirror is what the store has now; its revision is the store's then, so that compaction does not overtake it while only
   * other keys change.
   */
  async #isCurrent(mirror: Mirror, signal: AbortSignal): Promise<boolean> {
    const since = { minModRevision: mirror.revision + 1, keysOnly: true, limit: 1 };
    const answer = await this.#api.call<RangeAnswer>(RANGE, { ...rangeOf(this.#prefix), ...since }, signal);
    if (answer.kvs.length > 0 || numberOf(answer.count) !== mirror.keys.size) return false;
    mirror.revision = numberOf(answer.header.revision);
    return true;
  }
}
