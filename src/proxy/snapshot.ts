// What a worker routes by: rows from the master, compiled. Immutable once made; a connection looks at it once, when it is routed.

import type { Row } from "../control/messages.ts";
import { rowKey } from "../control/messages.ts";
import { encodeAlpn } from "../net/tls.ts";
import { type RouteEntry, RouteTable } from "../rules/table.ts";
import { CertificateStore } from "../tls/certificates.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import { type Balancer, RoundRobin, type Target, Weighted } from "../upstream/service.ts";
import type { Meters, RouteMeters } from "./meters.ts";

/** The TLS of a terminating route. */
export interface Termination {
  readonly options: ServerTlsOptions;
  /** The options' alpnProtocols in wire format, or null: `mqtt` when it is offered. */
  readonly alpn: Buffer | null;
}

export interface Route {
  readonly router: string;
  readonly action: "plain" | "passthrough" | "terminate" | "off";
  /** null unless the action is terminate. */
  readonly termination: Termination | null;
  readonly balancer: Balancer;
  /** All that an established connection keeps of its route. */
  readonly meters: RouteMeters;
}

export interface EntryRoutes {
  readonly tls: RouteTable<Route>;
  readonly plain: RouteTable<Route>;
}

export class Snapshot {
  readonly version: number;
  readonly certificates: CertificateStore;
  readonly #entries: ReadonlyMap<string, EntryRoutes>;

  constructor(version: number, certificates: CertificateStore, entries: ReadonlyMap<string, EntryRoutes>) {
    this.version = version;
    this.certificates = certificates;
    this.#entries = entries;
  }

  routes(entryPoint: string): EntryRoutes {
    return this.#entries.get(entryPoint) ?? NO_ROUTES;
  }
}

const NO_ROUTES: EntryRoutes = { tls: new RouteTable([]), plain: new RouteTable([]) };

export const EMPTY_SNAPSHOT = new Snapshot(0, new CertificateStore([], null), new Map());

type RowOf<K extends Row["kind"]> = Extract<Row, { kind: K }>["value"];

/** The rows a worker has, and the snapshot they make. */
export class Rows {
  readonly #rows = new Map<string, Row>();
  readonly #meters: Meters;
  readonly #start: number;
  /** Balancers go on where they were when a reload leaves their service as it is. */
  #balancers = new Map<string, { row: RowOf<"service">; balancer: Balancer }>();

  /** `start` is where round robin begins, different in each worker. */
  constructor(meters: Meters, start: number) {
    this.#meters = meters;
    this.#start = start;
  }

  apply(put: readonly Row[], drop: readonly string[]): void {
    for (const key of drop) this.#rows.delete(key);
    for (const row of put) this.#rows.set(rowKey(row), row);
  }

  /** The hashes of all options and all certificates: what the context cache keeps. */
  contents(): { options: Set<string>; certificates: Set<string> } {
    const options = new Set<string>();
    const certificates = new Set<string>();
    for (const row of this.#rows.values()) {
      if (row.kind === "options") options.add(row.value.key);
      else if (row.kind === "certificate") certificates.add(row.value.hash);
    }
    return { options, certificates };
  }

  compile(version: number): Snapshot {
    const routers: [string, RowOf<"router">][] = [];
    const services = new Map<string, RowOf<"service">>();
    const terminations = new Map<string, Termination>();
    const certificates = new Map<string, RowOf<"certificate">>();
    let fallback: string | null = null;
    for (const row of this.#rows.values()) {
      if (row.kind === "router") routers.push([row.name, row.value]);
      else if (row.kind === "service") services.set(row.name, row.value);
      else if (row.kind === "certificate") certificates.set(row.name, row.value);
      else if (row.kind === "default") fallback = row.value.certificate;
      else
        terminations.set(row.name, {
          options: row.value,
          alpn: row.value.alpn === null ? null : encodeAlpn(row.value.alpn),
        });
    }
    const balancers = new Map<string, { row: RowOf<"service">; balancer: Balancer }>();
    for (const name of services.keys()) this.#balancer(name, services, balancers);
    this.#balancers = balancers;

    const lists = new Map<string, { tls: RouteEntry<Route>[]; plain: RouteEntry<Route>[] }>();
    for (const [name, row] of routers) {
      const action = row.action;
      const route: Route = {
        router: name,
        action: action.kind,
        termination: action.kind === "terminate" ? (terminations.get(action.options) ?? null) : null,
        balancer: balancers.get(row.service)?.balancer ?? NO_SERVERS,
        meters: this.#meters.route(name, row.service),
      };
      const plain = action.kind === "plain" || (action.kind === "off" && !action.tls);
      for (const entryPoint of row.entryPoints) {
        let list = lists.get(entryPoint);
        if (list === undefined) lists.set(entryPoint, (list = { tls: [], plain: [] }));
        list[plain ? "plain" : "tls"].push({ name, rule: row.rule, priority: row.priority, value: route });
      }
    }
    this.#meters.keep(new Set(routers.map(([name]) => name)));
    const entries = new Map<string, EntryRoutes>();
    for (const [name, list] of lists)
      entries.set(name, { tls: new RouteTable(list.tls), plain: new RouteTable(list.plain) });
    const store = new CertificateStore(
      certificates.values(),
      fallback === null ? null : (certificates.get(fallback) ?? null),
    );
    return new Snapshot(version, store, entries);
  }

  /** The master has refused cycles among weighted services; a name without a row has no servers. */
  #balancer(
    name: string,
    services: Map<string, RowOf<"service">>,
    made: Map<string, { row: RowOf<"service">; balancer: Balancer }>,
  ): Balancer {
    const done = made.get(name);
    if (done !== undefined) return done.balancer;
    const row = services.get(name);
    if (row === undefined) return NO_SERVERS;
    const former = this.#balancers.get(name);
    let balancer: Balancer;
    if (row.kind === "weighted") {
      balancer = new Weighted(
        row.services.map((child) => ({ balancer: this.#balancer(child.name, services, made), weight: child.weight })),
      );
    } else if (former?.row === row) {
      balancer = former.balancer;
    } else {
      const targets = row.servers.map((server): Target => {
        return { service: name, key: `${name} ${server.address}`, server, transport: row.transport };
      });
      balancer = new RoundRobin(targets, this.#start);
    }
    made.set(name, { row, balancer });
    return balancer;
  }
}

const NO_SERVERS: Balancer = new RoundRobin([]);
