// What a worker routes by: rows from the master, compiled. The tables are live: they change at a commit, in one step, and only then. So
// nobody keeps them over a wait. Who waits holds a route and the version it was chosen by, and decides again when the version has changed.

import { Tables } from "../admission/tables.ts";
import { TABLES } from "../middlewares/client-key.ts";
import type { ConnectLimits, Middleware, Stage } from "../middlewares/middleware.ts";
import type { AuthServices } from "../middlewares/mqtt-auth.ts";
import { DEFAULT_CONNECT_LIMITS } from "../middlewares/mqtt-connect.ts";
import { createMiddleware, type MiddlewareServices, tableOfRow } from "../middlewares/row.ts";
import { encodeAlpn } from "../net/tls.ts";
import type { RouterAction, Row } from "../protocol/messages.ts";
import { isForPlain, splitKey } from "../protocol/messages.ts";
import { asksMqtt, type Facts } from "../rules/ast.ts";
import { RouteTable } from "../rules/table.ts";
import { CertificateStore } from "../tls/certificates.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import { ServerStates } from "../upstream/server-state.ts";
import type { Balancer } from "../upstream/service.ts";
import { Balancers } from "./balancers.ts";
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
  /** null unless the action is terminate, or off where only the CONNECT says whether a client is meant. */
  readonly termination: Termination | null;
  /** Whether its rule asks for what only a CONNECT says: without that, the route is the first that could be right. */
  readonly asksMqtt: boolean;
  readonly balancer: Balancer;
  readonly middlewares: Readonly<Record<Stage, readonly Middleware[]>>;
  /** How its clients' CONNECT is read before a server is dialled; null: it is not read. */
  readonly gate: ConnectLimits | null;
  /** All that an established connection keeps of its route. */
  readonly meters: RouteMeters;
}

/** A router as the tables hold it: what it does is worked out when the first connection comes. */
export interface Router {
  readonly name: string;
  readonly row: RowOf<"router">;
}

export interface EntryRoutes {
  readonly tls: RouteTable<Router>;
  readonly plain: RouteTable<Router>;
}

type RowOf<K extends Row["kind"]> = Extract<Row, { kind: K }>["value"];

const NO_ROUTES: EntryRoutes = { tls: new RouteTable(), plain: new RouteTable() };
const NO_MIDDLEWARES: Route["middlewares"] = { address: [], connect: [] };

/** What becomes of a row of each kind at a commit: it comes or is replaced, or it goes. */
type Kinds = {
  readonly [K in Row["kind"]]: { put(name: string, value: RowOf<K>): void; drop(name: string): void };
};

/**
 * The rows a worker has, as the tables they make. What comes is put aside until the commit, which then costs what has changed: a worker
 * with 100 000 routers takes a new one without a pause.
 */
export class RoutingTables {
  /** The number of the last commit. */
  version = 0;
  certificates = new CertificateStore([], null);
  /** Answers to ACME challenges that are under way, by the name that is proved. */
  readonly challenges = new Map<string, RowOf<"challenge">>();
  readonly servers = new ServerStates();
  readonly #routers = new Map<string, RowOf<"router">>();
  readonly balancers: Balancers;
  readonly #middlewares = new Map<string, Middleware>();
  /** The parts of password files and lists of networks, by their names. */
  readonly #parts = new Map<string, string>();
  readonly #services: MiddlewareServices;
  /** The tables in which middlewares count, by the middlewares' names. */
  readonly #tables = new Map<string, string>();
  readonly #terminations = new Map<string, Termination>();
  readonly #certificates = new Map<string, RowOf<"certificate">>();
  #fallback: string | null = null;
  /** Worked out when they are asked for. */
  #connectLimits: ConnectLimits | null = null;
  readonly #entries = new Map<string, EntryRoutes>();
  /** The routers that connections have come to since the last commit. */
  readonly #resolved = new Map<Router, Route>();
  readonly #meters: Meters;
  #pending: { put: readonly Row[]; drop: readonly string[] }[] = [];
  /** Since the last commit. */
  #certificatesChanged = false;

  readonly #kinds: Kinds = {
    router: {
      put: (name, value) => this.#putRouter(name, value),
      drop: (name) => this.#removeRouter(name),
    },
    service: {
      put: (name, value) => this.balancers.put(name, value),
      drop: (name) => this.balancers.put(name, null),
    },
    middleware: {
      put: (name, value) => this.#putMiddleware(name, value),
      drop: (name) => {
        this.#middlewares.delete(name);
        this.#tables.delete(name);
      },
    },
    // They come before the middlewares that have them.
    part: {
      put: (name, { text }) => void this.#parts.set(name, text),
      drop: (name) => void this.#parts.delete(name),
    },
    options: {
      put: (name, options) => {
        const alpn = options.alpn === null ? null : encodeAlpn(options.alpn);
        this.#terminations.set(name, { name, options, alpn });
      },
      drop: (name) => void this.#terminations.delete(name),
    },
    certificate: {
      put: (name, value) => this.#putCertificate(name, value),
      drop: (name) => this.#putCertificate(name, null),
    },
    challenge: {
      put: (name, value) => void this.challenges.set(name, value),
      drop: (name) => void this.challenges.delete(name),
    },
    default: {
      put: (_, { certificate }) => this.#putFallback(certificate),
      drop: () => this.#putFallback(null),
    },
  };

  /**
   * `start` is where round robin begins, different in each worker; `onAuthentication` hears of each client that mqttAuth judges. In
   * `keyed` middlewares count.
   */
  constructor(
    meters: Meters,
    start: number,
    onAuthentication: AuthServices["onAuthentication"] = () => {},
    keyed = new Tables(1),
  ) {
    this.#meters = meters;
    this.balancers = new Balancers(this.servers, start);
    this.#services = { partOf: (name) => this.#parts.get(name) ?? null, onAuthentication, tables: keyed };
  }

  apply(put: readonly Row[], drop: readonly string[]): void {
    this.#pending.push({ put, drop });
  }

  commit(version: number): void {
    for (const { put, drop } of this.#pending) {
      for (const key of drop) {
        const { kind, name } = splitKey(key);
        this.#kinds[kind].drop(name);
      }
      for (const row of put) this.#put(row);
    }
    this.#pending = [];
    this.#resolved.clear();
    this.#connectLimits = null;
    this.balancers.settle();
    const tables = new Set(this.#tables.values());
    this.#services.tables.keep((name) => !name.startsWith(TABLES) || tables.has(name));
    this.#meters.keep(this.#routers);
    if (this.#certificatesChanged) {
      const fallback = this.#fallback === null ? null : (this.#certificates.get(this.#fallback) ?? null);
      this.certificates = new CertificateStore(this.#certificates.values(), fallback);
      this.#certificatesChanged = false;
    }
    this.version = version;
  }

  routes(entryPoint: string): EntryRoutes {
    return this.#entries.get(entryPoint) ?? NO_ROUTES;
  }

  /** The route for these facts, provisional where they are without `mqtt` and it `asksMqtt`; or null where no router wants them. */
  match(table: RouteTable<Router>, facts: Facts): Route | null {
    const router = table.match(facts);
    return router === null ? null : this.routeOf(router);
  }

  /** The route of a router in one of the tables. */
  routeOf(router: Router): Route {
    let route = this.#resolved.get(router);
    if (route === undefined) this.#resolved.set(router, (route = this.#resolve(router)));
    return route;
  }

  /** The hashes of all options and all certificates: what the context cache keeps. */
  contents(): { options: Set<string>; certificates: { has(hash: string): boolean } } {
    const options = new Set([...this.#terminations.values()].map((each) => each.options.key));
    return { options, certificates: this.#certificates };
  }

  /** How a CONNECT is read while it is not known which router it belongs to: as the most patient of all would. */
  get connectLimits(): ConnectLimits {
    this.#connectLimits ??= widest(this.#middlewares.values());
    return this.#connectLimits;
  }

  /** The options of this name that close connections whose certificate they revoke; null where there are none that do. */
  closing(): ((name: string) => ServerTlsOptions | null) | null {
    if (![...this.#terminations.values()].some(({ options }) => options.closeRevoked)) return null;
    return (name) => {
      const options = this.#terminations.get(name)?.options;
      return options?.closeRevoked ? options : null;
    };
  }

  #put(row: Row): void {
    // The kind of a row is that of its value, which the compiler does not follow through the table.
    const { put } = this.#kinds[row.kind] as { put(name: string, value: unknown): void };
    put(row.name, row.value);
  }

  #putRouter(name: string, row: RowOf<"router">): void {
    this.#removeRouter(name);
    this.#routers.set(name, row);
    const { rule, priority, rank } = row;
    for (const table of this.#tablesOf(row)) table.add({ name, rule, priority, rank, value: { name, row } });
  }

  #removeRouter(name: string): void {
    const row = this.#routers.get(name);
    if (row === undefined) return;
    this.#routers.delete(name);
    for (const table of this.#tablesOf(row)) table.remove({ name, rule: row.rule });
  }

  #putMiddleware(name: string, row: RowOf<"middleware">): void {
    this.#middlewares.set(name, createMiddleware(name, row, this.#middlewares.get(name) ?? null, this.#services));
    const table = tableOfRow(name, row);
    if (table === null) this.#tables.delete(name);
    else this.#tables.set(name, table);
  }

  #putCertificate(name: string, row: RowOf<"certificate"> | null): void {
    if (row === null) this.#certificates.delete(name);
    else this.#certificates.set(name, row);
    this.#certificatesChanged = true;
  }

  #putFallback(hash: string | null): void {
    this.#fallback = hash;
    this.#certificatesChanged = true;
  }

  #tablesOf({ action, entryPoints }: RowOf<"router">): RouteTable<Router>[] {
    const plain = isForPlain(action);
    return entryPoints.map((name) => {
      let tables = this.#entries.get(name);
      if (tables === undefined) this.#entries.set(name, (tables = { tls: new RouteTable(), plain: new RouteTable() }));
      return plain ? tables.plain : tables.tls;
    });
  }

  #resolve({ name, row }: Router): Route {
    const { action, rule, service } = row;
    const middlewares = this.#middlewaresOf(row);
    return {
      router: name,
      // A middleware that is not there must not let anyone by; the master sends none such.
      action: middlewares === null ? "off" : action.kind,
      termination: this.#terminationOf(action),
      asksMqtt: asksMqtt(rule),
      balancer: this.balancers.of(service),
      middlewares: middlewares ?? NO_MIDDLEWARES,
      gate: this.#gateOf(middlewares ?? NO_MIDDLEWARES, action, service),
      meters: this.#meters.route(name, service),
    };
  }

  #gateOf({ connect }: Route["middlewares"], action: RouterAction, service: string): ConnectLimits | null {
    if (connect.length > 0) return widest(connect);
    // What is passed through is TLS: the master refuses such a router where its service asks for more.
    const asks = action.kind !== "passthrough" && this.balancers.asksConnect(service);
    return asks ? DEFAULT_CONNECT_LIMITS : null;
  }

  #terminationOf(action: RowOf<"router">["action"]): Termination | null {
    const options = action.kind === "terminate" || action.kind === "off" ? action.options : undefined;
    return options === undefined ? null : (this.#terminations.get(options) ?? null);
  }

  #middlewaresOf({ middlewares }: RowOf<"router">): Route["middlewares"] | null {
    if (middlewares.length === 0) return NO_MIDDLEWARES;
    const found = middlewares.map((name) => this.#middlewares.get(name));
    if (found.includes(undefined)) return null;
    const at = (stage: Stage) => found.filter((each) => each !== undefined && each.stage === stage) as Middleware[];
    return { address: at("address"), connect: at("connect") };
  }
}

/** The widest limits of some middlewares: each looks at its own again when it is asked. */
function widest(middlewares: Iterable<Middleware>): ConnectLimits {
  let limits: ConnectLimits | null = null as ConnectLimits | null;
  for (const { connectLimits } of middlewares) {
    if (connectLimits === undefined) continue;
    limits = {
      timeoutMs: Math.max(limits?.timeoutMs ?? 0, connectLimits.timeoutMs),
      maxSize: Math.max(limits?.maxSize ?? 0, connectLimits.maxSize),
    };
  }
  return limits ?? DEFAULT_CONNECT_LIMITS;
}
