// Who is banned, on all entry points: workers tell of failures, this counts them, and tells all workers who is refused from now on.

import { type Ban, BanBook } from "../admission/ban-book.ts";
import { addressKey, type Key } from "../admission/keys.ts";
import type { BanConfig } from "../config/ban.ts";
import type { Code } from "../config/codes.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import { formatNetwork, type Network, parseNetwork } from "../ip/address.ts";
import type { Logger } from "../observe/logger.ts";
import type { BanKey, FromWorker, ToWorker } from "../protocol/messages.ts";
import { Batch } from "../protocol/shares.ts";
import { putAside, readBans, type StoredBan, writeBans } from "./ban-store.ts";

const SWEEP_MS = 1000;
/** Bans in one message. */
const PART = 1000;
/** Lines about bans within a minute: more are added up. */
const MAX_LINES = 30;
const MINUTE_MS = 60_000;
const RETRY_MS = 30_000;
/** Writing takes this part of the time at most. */
const WRITE_SHARE = 20;

/** What metrics say of an entry point. */
export interface BanFigures {
  readonly entryPoint: string;
  readonly banned: number;
  readonly watched: number;
  readonly evictions: number;
  /** Bans so far, by reason. */
  readonly begun: ReadonlyMap<string, number>;
}

interface Point {
  readonly config: BanConfig;
  readonly book: BanBook;
  readonly begun: Map<string, number>;
}

export class Bans {
  readonly #logger: Logger;
  readonly #tell: (message: ToWorker, worker?: number) => void;
  readonly #now: () => number;
  readonly #points = new Map<string, Point>();
  /** What workers are still to hear: whether an address is banned, by its name. */
  readonly #changed = new Map<string, BanKey>();
  readonly #batch = new Batch(() => this.#flush());
  #isDirty = false;
  #writeAt = 0;
  #cannotWrite = false;
  #lines = 0;
  #unsaid = 0;
  #lineMinute = 0;
  readonly #timer: ReturnType<typeof setInterval> | null;

  /** `tell` tells one worker, or all of them; `now` is Unix time in milliseconds. */
  constructor(
    points: Iterable<EntryPointConfig>,
    tell: (message: ToWorker, worker?: number) => void,
    logger: Logger,
    now: () => number = Date.now,
  ) {
    this.#tell = tell;
    this.#logger = logger;
    this.#now = now;
    for (const { name, ban: config, admin } of points) {
      if (config === null || admin) continue;
      const book = new BanBook(config, (key) => this.#note(name, key));
      // There before the first ban: increase() does not see the event that a series begins with.
      const begun = new Map([...config.reasons, "by-hand"].map((reason) => [reason as string, 0]));
      this.#points.set(name, { config, book, begun });
    }
    this.#timer = this.#points.size === 0 ? null : setInterval(() => this.sweep(), SWEEP_MS).unref();
    this.#load();
  }

  /** A worker has started: it gets all bans before it listens. */
  started(worker: number): void {
    const all = [...this.#points].flatMap(([name, { book }]) =>
      [...book.bans.keys()].map((key): BanKey => [name, key]),
    );
    for (let at = 0; at < all.length; at += PART)
      this.#tell({ type: "bans", put: all.slice(at, at + PART), drop: [] }, worker);
  }

  /** What a worker tells. */
  heard(failures: Extract<FromWorker, { type: "failures" }>["failures"]): void {
    const now = this.#now();
    for (const [entryPoint, key, reason, count] of failures) {
      const ban = this.#points.get(entryPoint)?.book.fail(key, reason, count, now) ?? null;
      if (ban !== null) this.#begun(entryPoint, key, ban);
    }
  }

  /** Everybody who is banned now. */
  list(): StoredBan[] {
    return [...this.#points].flatMap(([entryPoint, point]) =>
      [...point.book.bans].map(([key, { until, ms, level, reason }]) => {
        return { entryPoint, network: networkOf(key, point.config), until, ms, level, reason };
      }),
    );
  }

  /**
   * Bans an address by hand, for so many milliseconds, whatever it does. Nothing is asked of trustedIPs here: workers let them in all the same.
   * @param network an address, or the network that stands for it on this entry point
   * @returns false: there is no such entry point with bans, or no such address.
   */
  ban(entryPoint: string, network: string, ms: number): boolean {
    const point = this.#points.get(entryPoint);
    const key = point === undefined ? null : keyOf(network, point.config);
    if (point === undefined || key === null) return false;
    this.#begun(entryPoint, key, point.book.put(key, { until: this.#now() + ms, ms, level: 0, reason: "by-hand" }));
    return true;
  }

  /** Lifts a ban. False: there was none. */
  lift(entryPoint: string, network: string): boolean {
    const point = this.#points.get(entryPoint);
    const key = point === undefined ? null : keyOf(network, point.config);
    return point !== undefined && key !== null && point.book.lift(key);
  }

  *figures(): Iterable<BanFigures> {
    for (const [entryPoint, { book, begun }] of this.#points)
      yield { entryPoint, banned: book.bans.size, watched: book.suspects, evictions: book.evictions, begun };
  }

  /** Ends what is over, and writes what has changed. */
  sweep(): void {
    const now = this.#now();
    for (const { book } of this.#points.values()) book.sweep(now);
    if (this.#isDirty && performance.now() >= this.#writeAt) this.#write();
    this.#sayRest(now);
  }

  /** Bans that another process has held until now. */
  inherit(bans: readonly StoredBan[]): void {
    const now = this.#now();
    for (const { entryPoint, network, until, ms, level, reason } of bans) {
      const point = this.#points.get(entryPoint);
      const key = point === undefined ? null : keyOf(network, point.config);
      if (point === undefined || key === null || until <= now) continue;
      point.book.put(key, { until, ms, level, reason });
      this.#note(entryPoint, key);
    }
  }

  /** They are another process's from now on, which writes the files. */
  retire(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  close(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    if (this.#isDirty) this.#write();
  }

  #begun(entryPoint: string, key: Key, { ms, reason, level }: Ban): void {
    const { begun, config } = this.#points.get(entryPoint)!;
    begun.set(reason, (begun.get(reason) ?? 0) + 1);
    this.#note(entryPoint, key);
    if (this.#lines++ >= MAX_LINES) this.#unsaid++;
    else
      this.#logger.info(
        { entryPoint, client: networkOf(key, config), reason, level, seconds: Math.round(ms / 1000) },
        "an address is banned",
      );
  }

  #sayRest(now: number): void {
    const minute = Math.floor(now / MINUTE_MS);
    if (minute === this.#lineMinute) return;
    if (this.#unsaid > 0) this.#logger.info({ addresses: this.#unsaid }, "further addresses were banned");
    this.#lineMinute = minute;
    this.#lines = 0;
    this.#unsaid = 0;
  }

  #note(entryPoint: string, key: Key): void {
    this.#isDirty = true;
    this.#changed.set(`${entryPoint} ${key}`, [entryPoint, key]);
    this.#batch.note();
  }

  #flush(): void {
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    const isBanned = ([entryPoint, key]: BanKey) => this.#points.get(entryPoint)!.book.bans.has(key);
    for (let at = 0; at < changed.length; at += PART) {
      const part = changed.slice(at, at + PART);
      this.#tell({ type: "bans", put: part.filter(isBanned), drop: part.filter((each) => !isBanned(each)) });
    }
  }

  #load(): void {
    const now = this.#now();
    for (const path of this.#files()) {
      let stored: StoredBan[] = [];
      try {
        stored = readBans(path);
      } catch (error) {
        const aside = putAside(path);
        this.#logger.error(
          { code: "ban-storage" satisfies Code },
          `the bans in it are not taken up: ${(error as Error).message}${aside === null ? "" : `; it is ${aside} now: mend it, and put it back while Sluice is stopped`}`,
        );
      }
      for (const { entryPoint, network, until, ms, level, reason } of stored) {
        const point = this.#points.get(entryPoint);
        const key = point?.config.storage === path ? keyOf(network, point.config) : null;
        // A file of other times, with other prefixes, must not ban a network for one address of it.
        if (until > now && key !== null && networkOf(key, point!.config) === network)
          point!.book.put(key, shortened({ until, ms, level, reason }, level > 0 ? point!.config.maxTime : ms, now));
      }
    }
    // So it is known now whether bans can be kept, and not when one comes.
    if (this.#points.size > 0) this.#write();
  }

  #write(): void {
    this.#isDirty = false;
    const startedAt = performance.now();
    const all = this.list();
    let fault: string | null = null;
    for (const path of this.#files()) {
      try {
        writeBans(
          path,
          all.filter(({ entryPoint }) => this.#points.get(entryPoint)!.config.storage === path),
        );
      } catch (error) {
        fault = (error as Error).message;
      }
    }
    if (fault !== null && !this.#cannotWrite)
      this.#logger.error({ code: "ban-storage" satisfies Code }, `bans would not outlive a restart: ${fault}`);
    this.#cannotWrite = this.#isDirty = fault !== null;
    const endedAt = performance.now();
    const wait = Math.max(SWEEP_MS, (endedAt - startedAt) * WRITE_SHARE);
    this.#writeAt = endedAt + (fault === null ? wait : Math.max(wait, RETRY_MS));
  }

  #files(): ReadonlySet<string> {
    const files = new Set<string>();
    for (const { config } of this.#points.values()) if (config.storage !== undefined) files.add(config.storage);
    return files;
  }
}

/** A ban that was decided under other rules, or by a clock that was ahead, lasts no longer than one of now may. */
function shortened(ban: Ban, most: number, now: number): Ban {
  const ms = Math.min(ban.ms, most);
  return { ...ban, ms, until: Math.min(ban.until, now + ms) };
}

/** null: it is neither an address nor the network that one stands for. */
function keyOf(text: string, { ipv4Prefix, ipv6Prefix }: BanConfig): Key | null {
  const network = parseNetwork(text);
  if (network === null) return null;
  const { address, prefix } = network;
  const own = address.length === 4 ? ipv4Prefix : ipv6Prefix;
  return prefix === own || prefix === address.length * 8 ? addressKey(address, ipv4Prefix, ipv6Prefix) : null;
}

function networkOf(key: Key, { ipv4Prefix, ipv6Prefix }: BanConfig): string {
  return formatNetwork(
    typeof key === "number"
      ? { address: Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key), prefix: ipv4Prefix }
      : { address: (parseNetwork(key) as Network).address, prefix: ipv6Prefix },
  );
}
