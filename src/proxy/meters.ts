// What a worker counts. Plain integer fields, because they are touched for every connection and every chunk; the metrics are made of
// them when the master collects.

import type { ByteMeter } from "../net/relay.ts";
import type { HandshakeCause } from "../tls/handshake-failure.ts";
import type { ConnectResult, Reason } from "./reasons.ts";

/** How far a client had come that is not let in: it was accepted, has sent its hello, has done its handshake. */
export type Stage = "accepted" | "hello" | "handshake";

/** All that an established connection keeps of its route. */
export interface RouteMeters {
  readonly router: string;
  readonly service: string;
  connections: number;
  open: number;
  /** From clients. */
  readonly in: ByteMeter;
  /** To clients. */
  readonly out: ByteMeter;
}

export class EntryMeters {
  readonly name: string;
  open = 0;
  readonly results = new Map<Reason, number>();
  /** Of the clients that wanted to resume a session and are in: those that did, and those that made a full handshake. */
  resumed = 0;
  notResumed = 0;
  /** Of the handshakes that failed. */
  readonly causes = new Map<HandshakeCause, number>();

  /** Who was refused or went for others, by the reason and then by how far it had come. */
  readonly refused = new Map<Reason, Map<Stage, number>>();
  /** Who had to wait, by the limit. */
  readonly waits = new Map<Reason, number>();
  /** CONNECTs read, by version and result. */
  readonly connects = new Map<string, Map<ConnectResult, number>>();

  constructor(name: string) {
    this.name = name;
  }

  connect(version: string, result: ConnectResult): void {
    let results = this.connects.get(version);
    if (results === undefined) this.connects.set(version, (results = new Map()));
    results.set(result, (results.get(result) ?? 0) + 1);
  }

  refuse(reason: Reason, stage: Stage): void {
    let stages = this.refused.get(reason);
    if (stages === undefined) this.refused.set(reason, (stages = new Map()));
    stages.set(stage, (stages.get(stage) ?? 0) + 1);
  }

  waited(reason: Reason): void {
    this.waits.set(reason, (this.waits.get(reason) ?? 0) + 1);
  }

  offered(isResumed: boolean): void {
    if (isResumed) this.resumed++;
    else this.notResumed++;
  }

  handshakeFailed(cause: HandshakeCause): void {
    this.causes.set(cause, (this.causes.get(cause) ?? 0) + 1);
  }

  ended(reason: Reason): void {
    this.results.set(reason, (this.results.get(reason) ?? 0) + 1);
  }
}

export class Meters {
  readonly #routes = new Map<string, RouteMeters>();

  /** The meters of a router with a service, the same ones as long as it is configured. */
  route(router: string, service: string): RouteMeters {
    const known = this.#routes.get(router);
    if (known !== undefined && known.service === service) return known;
    const made: RouteMeters = { router, service, connections: 0, open: 0, in: { bytes: 0 }, out: { bytes: 0 } };
    this.#routes.set(router, made);
    return made;
  }

  /** Forgets routers that are configured no more; their connections go on counting into meters that nobody reads. */
  keep(routers: { has(name: string): boolean }): void {
    for (const name of this.#routes.keys()) if (!routers.has(name)) this.#routes.delete(name);
  }

  routes(): Iterable<RouteMeters> {
    return this.#routes.values();
  }
}
