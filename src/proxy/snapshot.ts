// What a worker routes by: rows from the master, compiled. It changes only at a commit, in one step; a connection looks at it once,
// when it is routed.

import { encodeAlpn } from "../net/tls.ts";
import type { Row } from "../protocol/messages.ts";
import { isForPlain, splitKey } from "../protocol/messages.ts";
import type { Facts } from "../rules/ast.ts";
import { RouteTable } from "../rules/table.ts";
import { CertificateStore } from "../tls/certificates.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import { type Balancer, RoundRobin, type Target, Weighted } from "../upstream/service.ts";
import type { Meters, RouteMeters } from "./meters.ts";

/** The TLS of a terminating route. */
export interface Termination {
  /** The options' name in the configuration. */
  readonly name: string;
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

/** A router as the tables hold it: what it does is worked out when the first connection comes. */
interface Router {
  readonly name: string;
  readonly row: RowOf<"router">;
}

export interface EntryRoutes {
  readonly tls: RouteTable<Router>;
  readonly plain: RouteTable<Router>;
}

type RowOf<K extends Row["kind"]> = Extract<Row, { kind: K }>["value"];

export class Snapshot {
  readonly version: number;
  readonly certificates: CertificateStore;
  readonly #entries: ReadonlyMap<string, EntryRoutes>;
  readonly #resolve: (router: Router) => Route;
  readonly #terminations: ReadonlyMap<string, Termination>;
  readonly #resolved = new Map<Router, Route>();

  constructor(
    version: number,
    certificates: CertificateStore,
    entries: ReadonlyMap<string, EntryRoutes>,
    terminations: ReadonlyMap<string, Termination>,
    resolve: (router: Router) => Route,
  ) {
    this.version = version;
    this.certificates = certificates;
    this.#entries = entries;
    this.#terminations = terminations;
    this.#resolve = resolve;
  }

  /** The TLS options of this name, or null when there are none any more. */
  optionsOf(name: string): ServerTlsOptions | null {
    return this.#terminations.get(name)?.options ?? null;
  }

  routes(entryPoint: string): EntryRoutes {
    return this.#entries.get(entryPoint) ?? NO_ROUTES;
  }

  /** The route for these facts, or null where no router wants them. */
  match(table: RouteTable<Router>, facts: Facts): Route | null {
    const router = table.match(facts);
    if (router === null) return null;
    let route = this.#resolved.get(router);
    if (route === undefined) this.#resolved.set(router, (route = this.#resolve(router)));
    return route;
  }
}

const NO_ROUTES: EntryRoutes = { tls: new RouteTable(), plain: new RouteTable() };
const NO_SERVERS: Balancer = new RoundRobin([]);

export const EMPTY_SNAPSHOT = new Snapshot(0, new CertificateStore([], null), new Map(), new Map(), () => {
  throw new Error("a snapshot without routers has none to resolve");
});

/**
 * The rows a worker has, and the snapshot they make. What comes is put aside until the commit, which then costs what has changed:
 * a worker with 100 000 routers takes a new one without a pause.
 */
export class WorkerTables {
  readonly #routers = new Map<string, RowOf<"router">>();
  readonly #services = new Map<string, RowOf<"service">>();
  readonly #terminations = new Map<string, Termination>();
  readonly #certificates = new Map<string, RowOf<"certificate">>();
  /** Answers to ACME challenges, by the name that is proved. */
  readonly challenges = new Map<string, RowOf<"challenge">>();
  #fallback: string | null = null;
  readonly #tables = new Map<string, EntryRoutes>();
  /** Made on first use; they go on where they were when a reload leaves their service as it is. */
  readonly #balancers = new Map<string, Balancer>();
  readonly #meters: Meters;
  readonly #start: number;
  /** A service has changed since the last commit. */
  #servicesChanged = false;
  #pending: { put: readonly Row[]; drop: readonly string[] }[] = [];
  #store: CertificateStore | null = null;

  /** `start` is where round robin begins, different in each worker. */
  constructor(meters: Meters, start: number) {
    this.#meters = meters;
    this.#start = start;
  }

  apply(put: readonly Row[], drop: readonly string[]): void {
    this.#pending.push({ put, drop });
  }

  /** The hashes of all options and all certificates: what the context cache keeps. */
  contents(): { options: Set<string>; certificates: { has(hash: string): boolean } } {
    const options = new Set([...this.#terminations.values()].map((each) => each.options.key));
    return { options, certificates: this.#certificates };
  }

  /** The options of this name that close connections whose certificate they revoke; null where there are none that do. */
  closing(): ((name: string) => ServerTlsOptions | null) | null {
    if (![...this.#terminations.values()].some(({ options }) => options.closeRevoked)) return null;
    return (name) => {
      const options = this.#terminations.get(name)?.options;
      return options?.closeRevoked ? options : null;
    };
  }

  commit(version: number): Snapshot {
    for (const { put, drop } of this.#pending) {
      for (const key of drop) this.#drop(key);
      for (const row of put) this.#put(row);
    }
    this.#pending = [];
    this.#forgetWeighted();
    this.#meters.keep(this.#routers);
    this.#store ??= new CertificateStore(
      this.#certificates.values(),
      this.#fallback === null ? null : (this.#certificates.get(this.#fallback) ?? null),
    );
    return new Snapshot(version, this.#store, this.#tables, this.#terminations, (router) => this.#resolve(router));
  }

  #put(row: Row): void {
    switch (row.kind) {
      case "router":
        this.#removeRouter(row.name);
        this.#routers.set(row.name, row.value);
        for (const table of this.#tablesOf(row.value)) {
          const { rule, priority } = row.value;
          table.add({ name: row.name, rule, priority, value: { name: row.name, row: row.value } });
        }
        return;
      case "service":
        this.#services.set(row.name, row.value);
        this.#balancers.delete(row.name);
        this.#servicesChanged = true;
        return;
      case "options": {
        const alpn = row.value.alpn === null ? null : encodeAlpn(row.value.alpn);
        this.#terminations.set(row.name, { name: row.name, options: row.value, alpn });
        return;
      }
      case "certificate":
        this.#certificates.set(row.name, row.value);
        this.#store = null;
        return;
      case "challenge":
        this.challenges.set(row.name, row.value);
        return;
      case "default":
        this.#fallback = row.value.certificate;
        this.#store = null;
    }
  }

  #drop(key: string): void {
    const { kind, name } = splitKey(key);
    switch (kind) {
      case "router":
        this.#removeRouter(name);
        return;
      case "service":
        this.#services.delete(name);
        this.#balancers.delete(name);
        this.#servicesChanged = true;
        return;
      case "options":
        this.#terminations.delete(name);
        return;
      case "certificate":
        this.#certificates.delete(name);
        this.#store = null;
        return;
      case "challenge":
        this.challenges.delete(name);
        return;
      case "default":
        this.#fallback = null;
        this.#store = null;
    }
  }

  #removeRouter(name: string): void {
    const row = this.#routers.get(name);
    if (row === undefined) return;
    this.#routers.delete(name);
    for (const table of this.#tablesOf(row)) table.remove({ name, rule: row.rule });
  }

  #tablesOf({ action, entryPoints }: RowOf<"router">): RouteTable<Router>[] {
    const plain = isForPlain(action);
    return entryPoints.map((name) => {
      let tables = this.#tables.get(name);
      if (tables === undefined) this.#tables.set(name, (tables = { tls: new RouteTable(), plain: new RouteTable() }));
      return plain ? tables.plain : tables.tls;
    });
  }

  #resolve({ name, row }: Router): Route {
    const { action, service } = row;
    return {
      router: name,
      action: action.kind,
      termination: action.kind === "terminate" ? (this.#terminations.get(action.options) ?? null) : null,
      balancer: this.#balancer(service),
      meters: this.#meters.route(name, service),
    };
  }

  /** Those made of others begin anew with any change: one of them may hold what has changed. */
  #forgetWeighted(): void {
    if (!this.#servicesChanged) return;
    this.#servicesChanged = false;
    for (const name of this.#balancers.keys())
      if (this.#services.get(name)?.kind !== "loadBalancer") this.#balancers.delete(name);
  }

  /** The master has refused cycles among weighted services; a name without a row has no servers. */
  #balancer(name: string): Balancer {
    const known = this.#balancers.get(name);
    if (known !== undefined) return known;
    const row = this.#services.get(name);
    if (row === undefined) return NO_SERVERS;
    let balancer: Balancer;
    if (row.kind === "weighted") {
      const children = row.services.map((child) => ({ balancer: this.#balancer(child.name), weight: child.weight }));
      balancer = new Weighted(children);
    } else {
      const targets = row.servers.map((server): Target => {
        return { service: name, key: `${name} ${server.address}`, server, transport: row.transport };
      });
      balancer = new RoundRobin(targets, this.#start);
    }
    this.#balancers.set(name, balancer);
    return balancer;
  }
}
