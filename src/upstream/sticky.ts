// Which server each client came to last. What is kept of a client is a digest: its own names have up to 64 KiB, and are nobody's business.

import { createHash } from "node:crypto";
import { Line, type Standing } from "../admission/line.ts";

/** 128 bits that nobody finds a second key for. */
export function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("base64").slice(0, 22);
}

interface Entry extends Standing<Entry> {
  readonly client: string;
  address: string;
}

export class StickyTable {
  maxEntries: number;
  /** Clients that were forgotten for others that came here, and not to another worker. */
  forgotten = 0;
  readonly #onUse: (client: string, address: string) => void;
  readonly #entries = new Map<string, Entry>();
  /** In the order in which they were last used. */
  readonly #line = new Line<Entry>();
  /** The digest of the key that was last asked for: who asks sets mostly the same one next. */
  #last = { key: "", client: "" };

  /** `onUse` hears of each use: the tables of other workers then know the same, and forget the same. */
  constructor(maxEntries: number, onUse: (client: string, address: string) => void = () => {}) {
    this.maxEntries = maxEntries;
    this.#onUse = onUse;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** null: it has come to none, or too long ago. */
  get(key: string): string | null {
    return this.#entries.get(this.#digest(key))?.address ?? null;
  }

  set(key: string, address: string): void {
    const client = this.#digest(key);
    this.forgotten += this.put(client, address);
    this.#onUse(client, address);
  }

  /** What another worker has told. The oldest entries make room: how many did. */
  put(client: string, address: string): number {
    const entries = this.#entries;
    const known = entries.get(client);
    const entry: Entry = known ?? { client, address, before: null, behind: null };
    if (known === undefined) entries.set(client, entry);
    else this.#line.remove(known);
    entry.address = address;
    this.#line.push(entry);
    const { size } = entries;
    for (let oldest = this.#line.first; oldest !== null && entries.size > this.maxEntries; oldest = this.#line.first) {
      this.#line.remove(oldest);
      entries.delete(oldest.client);
    }
    return size - entries.size;
  }

  /** Clients and addresses, the oldest first. */
  *[Symbol.iterator](): Generator<[client: string, address: string], void> {
    for (let entry = this.#line.first; entry !== null; entry = entry.behind) yield [entry.client, entry.address];
  }

  #digest(key: string): string {
    if (this.#last.key !== key) this.#last = { key, client: digestOf(key) };
    return this.#last.client;
  }
}
