// Who has failed how often, and who is banned for it until when, on one entry point. Pure: time comes from outside, as Unix time in
// milliseconds, because bans outlive the process.
//
// Failures are counted in slots of a sixteenth of the window: a failure is forgotten up to a sixteenth later than its window says, and what
// an address costs does not grow with its failures. Both tables are bounded. Where the one of failures is full, who has failed least
// recently is forgotten; where the one of bans is full, the ban that began first is lifted.

import type { Key } from "./keys.ts";

export interface BanRules {
  readonly failures: number;
  /** Milliseconds, as all of these. */
  readonly window: number;
  readonly time: number;
  readonly maxTime: number;
}

export interface Ban {
  /** When it ends. */
  until: number;
  /** How long it is in all. */
  readonly ms: number;
  /** The how many-th in a row it is; 0: by hand. */
  readonly level: number;
  /** Of the last failure; "by-hand". */
  readonly reason: string;
}

interface Suspect {
  /** Beginnings and counts of slots, one behind the other. */
  readonly slots: number[];
  /** Bans so far. */
  readonly level: number;
  forgetAt: number;
}

const SLOTS = 16;
/** Of each table: some 20 MB for all who have failed. */
const MAX_BOOK = 65_536;

export class BanBook {
  readonly #rules: BanRules;
  readonly #most: number;
  /** Who has failed least recently comes first. */
  readonly #suspects = new Map<Key, Suspect>();
  readonly #bans = new Map<Key, Ban>();
  /** Addresses that were forgotten, and bans that were lifted, for want of room. */
  evictions = 0;
  readonly #onLifted: (key: Key) => void;

  /** `onLifted` is told of each ban that is over, whatever ended it. */
  constructor(rules: BanRules, onLifted: (key: Key) => void, most = MAX_BOOK) {
    this.#rules = rules;
    this.#onLifted = onLifted;
    this.#most = most;
  }

  get bans(): ReadonlyMap<Key, Ban> {
    return this.#bans;
  }

  get suspects(): number {
    return this.#suspects.size;
  }

  /** So many more failures of an address. @returns its ban, where this is one failure too many. Of who is banned they do not count. */
  fail(key: Key, reason: string, count: number, now: number): Ban | null {
    if (this.#bans.has(key)) return null;
    const { failures, window, time, maxTime } = this.#rules;
    let suspect = this.#suspects.get(key);
    if (suspect !== undefined && suspect.forgetAt <= now) suspect = undefined;
    suspect ??= { slots: [], level: 0, forgetAt: 0 };
    this.#suspects.delete(key);
    if (failuresOf(suspect, count, now, window) < failures) {
      suspect.forgetAt = Math.max(suspect.forgetAt, now + window);
      this.#suspects.set(key, suspect);
      this.#evict(this.#suspects);
      return null;
    }
    const level = suspect.level + 1;
    // 2 ** 40 times anything is over any limit.
    const ms = Math.min(time * 2 ** Math.min(level - 1, 40), maxTime);
    return this.put(key, { until: now + ms, ms, level, reason });
  }

  /** A ban that somebody else has decided, in the place of one that there is. Where there is no room the oldest one is lifted. */
  put(key: Key, ban: Ban): Ban {
    this.#suspects.delete(key);
    this.#bans.delete(key);
    this.#bans.set(key, ban);
    for (const oldest of this.#evict(this.#bans)) this.#onLifted(oldest);
    return ban;
  }

  /** Whether there was a ban to lift. The address begins anew. */
  lift(key: Key): boolean {
    if (!this.#bans.delete(key)) return false;
    this.#onLifted(key);
    return true;
  }

  /** Ends what is over. Who is banned again within as long as his last ban was, and the window, is banned for longer. */
  sweep(now: number): void {
    for (const [key, ban] of this.#bans) {
      // A clock that was set back, or a file that somebody wrote, makes no ban longer than it was meant to be.
      if (ban.until - now > ban.ms) ban.until = now + ban.ms;
      if (ban.until > now) continue;
      this.lift(key);
      const forgetAt = ban.until + ban.ms + this.#rules.window;
      if (ban.level > 0 && forgetAt > now) this.#suspects.set(key, { slots: [], level: ban.level, forgetAt });
    }
    for (const [key, { forgetAt }] of this.#suspects) if (forgetAt <= now) this.#suspects.delete(key);
    this.#evict(this.#suspects);
  }

  #evict(table: Map<Key, unknown>): Key[] {
    const gone: Key[] = [];
    for (const key of table.keys()) {
      if (table.size <= this.#most) break;
      table.delete(key);
      gone.push(key);
      this.evictions++;
    }
    return gone;
  }
}

/** Adds failures, forgets the old ones, and gives their number. */
function failuresOf({ slots }: Suspect, count: number, now: number, window: number): number {
  const width = window / SLOTS;
  // A slot's failures are as old as its last one may be.
  while (slots.length > 0 && (slots[0]! + width <= now - window || slots[0]! > now)) slots.splice(0, 2);
  const last = slots.at(-2);
  if (last !== undefined && now - last < width) slots[slots.length - 1]! += count;
  else slots.push(now, count);
  let sum = 0;
  for (let at = 1; at < slots.length; at += 2) sum += slots[at]!;
  return sum;
}
