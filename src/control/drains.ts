// What is drained by the configuration or by hand, and what a reload has removed: all connections that are to end, put together for the workers.

import type { Logger } from "../observe/logger.ts";
import type { FromWorker } from "../protocol/messages.ts";
import type { LivePolicy } from "../upstream/live.ts";
import type { ServerChange } from "../upstream/server-state.ts";
import { serverKey } from "../upstream/service.ts";
import { Departures, type DeparturesHost } from "./departures.ts";
import { type Departure, Losses } from "./losses.ts";
import type { InForce } from "./present.ts";

export interface DrainsHost extends Pick<DeparturesHost, "tell" | "workers"> {
  /** Says to the workers that nobody may be sent to a server, or that it is as the configuration says. */
  tellServers(changes: readonly ServerChange[]): void;
}

/** How many connections are left that are to end. */
export interface DrainState extends Pick<Departure, "id" | "reason" | "about" | "policy"> {
  readonly left: number;
}

export class Drains {
  readonly #host: DrainsHost;
  readonly #departures: Departures;
  readonly #losses = new Losses();
  /** The servers of the configuration in force, each as its drain; null: it is not drained by the configuration. */
  #servers = new Map<string, Departure | null>();
  /** Drained by hand, whatever the configuration says. */
  readonly #ordered = new Map<string, Departure>();
  #removed: readonly Departure[] = [];

  constructor(host: DrainsHost, logger: Logger) {
    this.#host = host;
    const forget = (id: string) => {
      this.#losses.forget(id);
      this.#removed = this.#removed.filter((each) => each.id !== id);
    };
    this.#departures = new Departures({ tell: host.tell, workers: host.workers, done: forget }, logger);
  }

  /** A configuration comes into force under this version. */
  inForce(inForce: InForce, version: number): void {
    this.#servers = new Map();
    for (const row of inForce.rows.values()) {
      if (row.kind !== "service" || row.value.kind !== "loadBalancer") continue;
      for (const { address, drain } of row.value.servers) {
        const key = serverKey(row.name, address);
        // One that is there twice is drained when either says so.
        const known = this.#servers.get(key);
        this.#servers.set(key, drain === undefined ? (known ?? null) : drainOf(row.name, address, drain));
      }
    }
    this.#removed = this.#losses.take(inForce, version);
    const gone = [...this.#ordered.keys()].filter((key) => !this.#servers.has(key));
    for (const key of gone) this.#ordered.delete(key);
    if (gone.length > 0) this.#host.tellServers(gone.map((key) => ({ key, isDraining: false })));
    this.#set();
  }

  /**
   * Drains a server by hand, until it is taken back or the server is configured no more; a restart forgets it. It has precedence over
   * `drain` of the configuration.
   * @param service its full name, `name@provider`
   * @returns false: there is no such server.
   */
  drain(service: string, address: string, policy: LivePolicy): boolean {
    const key = serverKey(service, address);
    if (!this.#servers.has(key)) return false;
    this.#ordered.set(key, drainOf(service, address, policy));
    this.#host.tellServers([{ key, isDraining: true }]);
    this.#set();
    return true;
  }

  /** Takes a drain by hand back: from now on it is as the configuration says. False: there was none. */
  undrain(service: string, address: string): boolean {
    const key = serverKey(service, address);
    if (!this.#ordered.delete(key)) return false;
    this.#host.tellServers([{ key, isDraining: false }]);
    this.#set();
    return true;
  }

  /** What is drained by hand. */
  *ordered(): Iterable<{ readonly service: string; readonly server: string; readonly policy: LivePolicy }> {
    for (const { about, policy } of this.#ordered.values())
      yield { service: about.service ?? "", server: about.server ?? "", policy };
  }

  /** A worker has started. */
  started(worker: number): void {
    this.#departures.started(worker);
  }

  left(worker: number, { round, counts }: Extract<FromWorker, { type: "left" }>): void {
    this.#departures.left(worker, round, counts);
  }

  gone(worker: number): void {
    this.#departures.gone(worker);
  }

  states(): DrainState[] {
    return [...this.#departures.states()].map(({ departure: { id, reason, about, policy }, left }) => {
      return { id, reason, about, policy, left };
    });
  }

  close(): void {
    this.#departures.close();
  }

  #set(): void {
    const drained: Departure[] = [];
    for (const [key, configured] of this.#servers) {
      const drain = this.#ordered.get(key) ?? configured;
      if (drain !== null) drained.push(drain);
    }
    this.#departures.set([...drained, ...this.#removed]);
  }
}

function drainOf(service: string, server: string, policy: LivePolicy): Departure {
  const key = serverKey(service, server);
  return { id: `drain ${key}`, reason: "drained", which: { by: "server", key }, policy, about: { service, server } };
}
