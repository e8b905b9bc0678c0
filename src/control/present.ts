// The configuration in force as far as it is sound, and in place of what has a mistake what was sound last.

import type { Compiled } from "../compile/compile.ts";
import type { RouterRow } from "../protocol/messages.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import { childrenOf, type ServiceRow, serverKey } from "../upstream/service.ts";

export type LoadBalancer = Extract<ServiceRow, { kind: "loadBalancer" }>;

/** Former servers that are remembered of a service while DNS says which ones it has: it may name others every day. */
const MAX_REMEMBERED = 1000;

/** A configuration in force, with the servers that DNS names in `rows`, and with the names themselves in `configured`. */
export interface InForce extends Pick<Compiled, "rows" | "named"> {
  readonly configured: Compiled["rows"];
}

export class Present {
  readonly services = new Map<string, ServiceRow>();
  readonly routers = new Map<string, RouterRow>();
  readonly options = new Map<string, ServerTlsOptions>();
  /** The servers of services of which DNS says where some are, as they are configured. */
  readonly #entries = new Map<string, readonly string[]>();
  readonly #reach = new Map<string, ReadonlySet<string>>();

  /** null: nothing was in force. */
  constructor({ rows, configured, named }: InForce, former: Present | null) {
    for (const row of rows.values()) {
      if (row.kind === "service") this.services.set(row.name, row.value);
      else if (row.kind === "options") this.options.set(row.name, row.value);
      else if (row.kind === "router" && row.value.action.kind !== "off") this.routers.set(row.name, row.value);
    }
    for (const row of configured.values())
      if (
        row.kind === "service" &&
        row.value.kind === "loadBalancer" &&
        row.value.servers.some((each) => each.discover)
      )
        this.#entries.set(
          row.name,
          row.value.servers.map(({ address }) => address),
        );
    if (former === null) return;
    for (const [name, row] of former.services) {
      if (!named.services.has(name)) continue;
      const now = this.services.get(name);
      if (now === undefined) {
        this.services.set(name, row);
        const entries = former.#entries.get(name);
        if (entries !== undefined) this.#entries.set(name, entries);
      } else if (named.partial.has(name) || this.#hasAllOf(former, name)) this.services.set(name, together(now, row));
    }
    for (const [name, row] of former.routers)
      if (named.routers.has(name) && !this.routers.has(name)) this.routers.set(name, row);
    for (const [name, value] of former.options) if (!this.options.has(name)) this.options.set(name, value);
  }

  /** The load balancers that connections of a service can come to. */
  reach(service: string): ReadonlySet<string> {
    let found = this.#reach.get(service);
    if (found === undefined) this.#reach.set(service, (found = new Set(this.#loadBalancersOf(service, new Set()))));
    return found;
  }

  /** The keys of a load balancer's servers, as in ServerReport. */
  keysOf(service: string): string[] {
    const row = this.services.get(service);
    return row?.kind === "loadBalancer" ? row.servers.map(({ address }) => serverKey(service, address)) : [];
  }

  /** Whether a service of which DNS says where its servers are still has all that it had: then what is not there any more is DNS's doing. */
  #hasAllOf(former: Present, service: string): boolean {
    const entries = this.#entries.get(service);
    const before = former.#entries.get(service);
    if (entries === undefined || before === undefined) return false;
    return before.every((each) => entries.includes(each));
  }

  *#loadBalancersOf(service: string, seen: Set<string>): Generator<string> {
    if (seen.has(service)) return;
    seen.add(service);
    const row = this.services.get(service);
    if (row?.kind === "loadBalancer") yield service;
    else if (row !== undefined) for (const child of childrenOf(row)) yield* this.#loadBalancersOf(child, seen);
  }
}

/** A server that was left out for a mistake, or that DNS does not name just now, is still there. */
function together(now: ServiceRow, former: ServiceRow): ServiceRow {
  if (now.kind !== "loadBalancer" || former.kind !== "loadBalancer") return now;
  const known = new Set(now.servers.map(({ address }) => address));
  const others = former.servers.filter(({ address }) => !known.has(address));
  return { ...now, servers: [...now.servers, ...others.slice(0, MAX_REMEMBERED)] };
}
