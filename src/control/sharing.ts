// Tells each worker what the others have open, what clients have of limits, and where clients came that shall
// come to the same server again, or that are there but once.

import type { KeyNumber } from "../admission/tables.ts";
import { Batch, type ClientAt, type LetIn, NO_KEYS, type Shares } from "../protocol/shares.ts";
import type { ServiceRow } from "../upstream/service.ts";
import { StickyTable } from "../upstream/sticky.ts";
import { Sums } from "./sums.ts";

/** Entries in one message: a table of 100 000 clients is told to a new worker in parts. */
const PART = 1000;
/** Keys of limits that workers tell of, of all tables together. */
const MAX_KEYS = 262_144;

export interface SharingHost {
  /** The workers that run. */
  workers(): Iterable<number>;
  tell(worker: number, shares: Shares): void;
  /** null: there is no such service. */
  serviceOf(name: string): ServiceRow | null;
}

type KeyOf = readonly [table: string, key: KeyNumber[1]];

export class Sharing {
  readonly #host: SharingHost;
  /** By server. */
  readonly #open = new Sums<string>();
  /** What keys of limits have open. */
  readonly #keysOpen = new Sums<KeyOf>(MAX_KEYS);
  /** What keys of limits have spent since workers were last told. */
  readonly #keysSpent = new Sums<KeyOf>(MAX_KEYS);
  /** What a worker that comes later has to know. */
  readonly #tables = new Map<string, StickyTable>();
  #sticky: ClientAt[] = [];
  #letIn: LetIn[] = [];
  /** null: it is here. */
  #leader: number | null = null;
  readonly #batch = new Batch(() => this.#flush());

  constructor(host: SharingHost) {
    this.#host = host;
  }

  /** From now on this one, a worker or what stands for other processes, says in which order clients came, for all. */
  follow(leader: number): void {
    this.#leader = leader;
  }

  take(worker: number, { counts, sticky, letIn, keys }: Shares): void {
    for (const [key, open] of counts) this.#open.set(worker, key, key, open);
    for (const [table, key, open] of keys.open) this.#keysOpen.set(worker, nameOf(table, key), [table, key], open);
    for (const [table, key, spent] of keys.spent) this.#keysSpent.add(worker, nameOf(table, key), [table, key], spent);
    for (const each of sticky) this.#tableOf(each.service)?.put(each.client, each.address);
    this.#batch.note();
    if (worker === this.#leader) {
      if (sticky.length + letIn.length === 0) return;
      for (const each of this.#host.workers())
        if (each !== worker) this.#host.tell(each, { ...NOTHING, sticky, letIn });
      return;
    }
    this.#sticky.push(...sticky);
    this.#letIn.push(...letIn);
  }

  /** A new worker, which knows nothing yet. */
  joined(worker: number): void {
    const counts = [...this.#open.all(worker)];
    if (counts.length > 0) this.#host.tell(worker, { ...NOTHING, counts });
    this.#tellKeys(worker, [...this.#keysOpen.all(worker)].map(keyNumber), []);
    for (const [service, table] of this.#tables) {
      const entries = [...table].map(([client, address]) => ({ service, client, address }));
      for (const sticky of parts(entries)) this.#host.tell(worker, { ...NOTHING, sticky });
    }
  }

  /** A worker is gone, and all that it had open. What it has spent is spent. */
  gone(worker: number): void {
    this.#open.drop(worker);
    this.#keysOpen.drop(worker);
    this.#batch.note();
  }

  /** Forgets the clients of services that are gone or not sticky any more. */
  settle(): void {
    for (const name of this.#tables.keys()) if (this.#stickyOf(name) === null) this.#tables.delete(name);
  }

  /** In one order for all, its own too: two workers that heard of the same client at once then remember the same. */
  #flush(): void {
    const [sticky, letIn] = [this.#sticky, this.#letIn];
    this.#sticky = [];
    this.#letIn = [];
    for (const worker of this.#host.workers()) {
      const counts = [...this.#open.changed(worker)];
      // The leader puts it in order, and says it again to all.
      const came = this.#leader === null || this.#leader === worker ? { sticky, letIn } : { sticky: [], letIn: [] };
      if (counts.length + came.sticky.length + came.letIn.length > 0)
        this.#host.tell(worker, { ...NOTHING, counts, ...came });
      const spent = [...this.#keysSpent.changed(worker)].filter(([, number]) => number > 0);
      this.#tellKeys(worker, [...this.#keysOpen.changed(worker)].map(keyNumber), spent.map(keyNumber));
    }
    this.#open.settle();
    this.#keysOpen.settle();
    this.#keysSpent.clear();
  }

  #tellKeys(worker: number, open: readonly KeyNumber[], spent: readonly KeyNumber[]): void {
    for (const part of parts(open)) this.#host.tell(worker, { ...NOTHING, keys: { open: part, spent: [] } });
    for (const part of parts(spent)) this.#host.tell(worker, { ...NOTHING, keys: { open: [], spent: part } });
  }

  #stickyOf(service: string): { readonly maxEntries: number } | null {
    const row = this.#host.serviceOf(service);
    return row?.kind === "loadBalancer" ? (row.balancing?.sticky ?? null) : null;
  }

  /** null: the service is not sticky any more. */
  #tableOf(service: string): StickyTable | null {
    const sticky = this.#stickyOf(service);
    if (sticky === null) return null;
    let table = this.#tables.get(service);
    if (table === undefined) this.#tables.set(service, (table = new StickyTable(sticky.maxEntries)));
    table.maxEntries = sticky.maxEntries;
    return table;
  }
}

const NOTHING: Shares = { counts: [], sticky: [], letIn: [], keys: NO_KEYS };

function nameOf(table: string, key: KeyNumber[1]): string {
  return JSON.stringify([table, key]);
}

function keyNumber([[table, key], number]: readonly [KeyOf, number]): KeyNumber {
  return [table, key, number];
}

function* parts<T>(entries: readonly T[]): Iterable<readonly T[]> {
  for (let at = 0; at < entries.length; at += PART) yield entries.slice(at, at + PART);
}
