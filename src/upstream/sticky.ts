// Which server each client came to last. What is kept of a client is a digest: its own names have up to 64 KiB, and are nobody's business.

import { createHash } from "node:crypto";

/** 128 bits that nobody finds a second key for. */
export function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("base64").slice(0, 22);
}

export class StickyTable {
  maxEntries: number;
  /** Clients that were forgotten for others that came here, and not to another worker. */
  forgotten = 0;
  readonly #onUse: (client: string, address: string) => void;
  /** In the order in which they were last used: the first is the oldest. */
  readonly #addresses = new Map<string, string>();
  /** The digest of the key that was last asked for: who asks sets mostly the same one next. */
  #last = { key: "", client: "" };

  /** `onUse` hears of each use: the tables of other workers then know the same, and forget the same. */
  constructor(maxEntries: number, onUse: (client: string, address: string) => void = () => {}) {
    this.maxEntries = maxEntries;
    this.#onUse = onUse;
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** null: it has come to none, or too long ago. */
  get(key: string): string | null {
    return this.#addresses.get(this.#digest(key)) ?? null;
  }

  set(key: string, address: string): void {
    const client = this.#digest(key);
    this.forgotten += this.put(client, address);
    this.#onUse(client, address);
  }

  /** What another worker has told. The oldest entries make room: how many did. */
  put(client: string, address: string): number {
    const addresses = this.#addresses;
    addresses.delete(client);
    addresses.set(client, address);
    const { size } = addresses;
    for (const oldest of addresses.keys()) {
      if (addresses.size <= this.maxEntries) break;
      addresses.delete(oldest);
    }
    return size - addresses.size;
  }

  /** Clients and addresses, the oldest first. */
  [Symbol.iterator](): Iterator<[client: string, address: string]> {
    return this.#addresses.entries();
  }

  #digest(key: string): string {
    if (this.#last.key !== key) this.#last = { key, client: digestOf(key) };
    return this.#last.client;
  }
}
