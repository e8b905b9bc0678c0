// Tells each worker what the others have open, and where clients came that shall come to the same server again, or that are there but once.

import { Batch, type ClientAt, type LetIn, type Shares } from "../protocol/shares.ts";
import type { ServiceRow } from "../upstream/service.ts";
import { StickyTable } from "../upstream/sticky.ts";

/** Entries in one message: a table of 100 000 clients is told to a new worker in parts. */
const PART = 1000;

export interface SharingHost {
  /** The workers that run. */
  workers(): Iterable<number>;
  tell(worker: number, shares: Shares): void;
  /** null: there is no such service. */
  serviceOf(name: string): ServiceRow | null;
}

export class Sharing {
  readonly #host: SharingHost;
  /** By server, then by worker. Those that have none are left out. */
  readonly #open = new Map<string, Map<number, number>>();
  /** What a worker that comes later has to know. */
  readonly #tables = new Map<string, StickyTable>();
  readonly #changed = new Set<string>();
  #sticky: ClientAt[] = [];
  #letIn: LetIn[] = [];
  readonly #batch = new Batch(() => this.#flush());

  constructor(host: SharingHost) {
    this.#host = host;
  }

  take(worker: number, { counts, sticky, letIn }: Shares): void {
    for (const [key, open] of counts) this.#count(worker, key, open);
    for (const each of sticky) this.#tableOf(each.service)?.put(each.client, each.address);
    this.#sticky.push(...sticky);
    this.#letIn.push(...letIn);
    this.#batch.note();
  }

  /** A new worker, which knows nothing yet. */
  joined(worker: number): void {
    const counts = [...this.#open.keys()].map((key) => [key, this.#elsewhere(key, worker)] as const);
    if (counts.length > 0) this.#host.tell(worker, { counts, sticky: [], letIn: [] });
    for (const [service, table] of this.#tables) {
      const entries = [...table].map(([client, address]) => ({ service, client, address }));
      for (let at = 0; at < entries.length; at += PART)
        this.#host.tell(worker, { counts: [], sticky: entries.slice(at, at + PART), letIn: [] });
    }
  }

  /** A worker is gone, and all that it had open. */
  gone(worker: number): void {
    for (const [key, byWorker] of this.#open) if (byWorker.has(worker)) this.#count(worker, key, 0);
    this.#batch.note();
  }

  /** Forgets the clients of services that are gone or not sticky any more. */
  settle(): void {
    for (const name of this.#tables.keys()) if (this.#stickyOf(name) === null) this.#tables.delete(name);
  }

  #count(worker: number, key: string, open: number): void {
    let byWorker = this.#open.get(key);
    if (byWorker === undefined) this.#open.set(key, (byWorker = new Map()));
    if (open === 0) byWorker.delete(worker);
    else byWorker.set(worker, open);
    if (byWorker.size === 0) this.#open.delete(key);
    this.#changed.add(key);
  }

  #elsewhere(key: string, worker: number): number {
    let sum = 0;
    for (const [other, open] of this.#open.get(key) ?? []) if (other !== worker) sum += open;
    return sum;
  }

  /** In one order for all, its own too: two workers that heard of the same client at once then remember the same. */
  #flush(): void {
    const [sticky, letIn] = [this.#sticky, this.#letIn];
    this.#sticky = [];
    this.#letIn = [];
    for (const worker of this.#host.workers()) {
      const counts = [...this.#changed].map((key) => [key, this.#elsewhere(key, worker)] as const);
      if (counts.length + sticky.length + letIn.length > 0) this.#host.tell(worker, { counts, sticky, letIn });
    }
    this.#changed.clear();
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
