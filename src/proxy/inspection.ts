// What a worker does for those who look at single connections: pages of them, closing some, the last refusals, a trace. Where there is no
// API nothing of it is kept.

import type { Logger } from "../observe/logger.ts";
import { isRefusal } from "../observe/refusals.ts";
import type {
  CloseAnswer,
  ConnectionFilter,
  ListAnswer,
  ListRequest,
  RefusalLook,
  Traced,
} from "../protocol/looking.ts";
import type { Edge } from "./edge.ts";
import { Listing } from "./listing.ts";
import type { Reason } from "./reasons.ts";
import type { ConnectionRecord } from "./record.ts";
import { Tracer } from "./tracer.ts";

/** Refusals that are kept. */
export const MAX_REFUSALS = 500;

interface Refused {
  readonly at: number;
  readonly reason: Reason;
  /** Of one that was closed at once only the address is known. */
  readonly record: ConnectionRecord | string;
  readonly entryPoint: string;
}

export class Inspection {
  readonly #edge: Edge;
  readonly #listing: Listing;
  readonly #logger: Logger;
  /** A ring: the oldest is overwritten. */
  readonly #refused: Refused[] = [];
  #next = 0;

  /** `logger` writes whatever the level is. */
  constructor(worker: number, edge: Edge, logger: Logger) {
    this.#edge = edge;
    this.#listing = new Listing(worker, edge.connections);
    this.#logger = logger;
  }

  page(request: ListRequest): Promise<ListAnswer> {
    return this.#listing.page(request);
  }

  close(filter: ConnectionFilter): Promise<CloseAnswer> {
    return this.#listing.close(filter);
  }

  trace(traced: readonly Traced[]): void {
    this.#edge.tracer = traced.length === 0 ? null : new Tracer(traced, this.#logger);
  }

  onEnd(record: ConnectionRecord, reason: Reason): void {
    if (isRefusal(reason)) this.#keep({ at: Date.now(), reason, record, entryPoint: record.entryPoint });
  }

  onTurnedAway(address: string, reason: Reason, entryPoint: string): void {
    this.#keep({ at: Date.now(), reason, record: address, entryPoint });
  }

  /** The last ones that came after a moment, the newest last. */
  refusals(after: number): RefusalLook[] {
    const all = [...this.#refused.slice(this.#next), ...this.#refused.slice(0, this.#next)];
    return all.filter(({ at }) => at > after).map(lookAt);
  }

  #keep(refused: Refused): void {
    this.#refused[this.#next] = refused;
    this.#next = (this.#next + 1) % MAX_REFUSALS;
  }
}

function lookAt({ at, reason, record, entryPoint }: Refused): RefusalLook {
  if (typeof record === "string") return { ...NOTHING, at, reason, entryPoint, address: record };
  const { cause, clientAddress, sni, clientSubject, mqtt, meters } = record;
  return {
    at,
    reason,
    cause,
    entryPoint,
    address: clientAddress,
    sni,
    certificate: clientSubject,
    clientId: mqtt?.clientId ?? null,
    username: mqtt?.username ?? null,
    router: meters?.router ?? "",
  };
}

const NOTHING = { cause: "", sni: "", certificate: "", clientId: null, username: null, router: "" } as const;
