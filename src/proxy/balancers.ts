// The order in which servers are tried, for each service: made of the master's rows, and kept over reloads that leave a service as it is.

import type { Row } from "../protocol/messages.ts";
import type { ClientAt } from "../protocol/shares.ts";
import { asksConnect } from "../upstream/client-key.ts";
import { Failover } from "../upstream/failover.ts";
import { LoadBalancer } from "../upstream/load-balancer.ts";
import type { ServerStates } from "../upstream/server-state.ts";
import { type Balancer, childrenOf, serverKey, type Target } from "../upstream/service.ts";
import { StickyTable } from "../upstream/sticky.ts";
import { Weighted } from "../upstream/weighted.ts";

type ServiceRow = Extract<Row, { kind: "service" }>["value"];

const NO_SERVERS: Balancer = new Weighted([]);

export class Balancers {
  readonly #services = new Map<string, ServiceRow>();
  /** Made on first use; they go on where they were when a reload leaves their service as it is. */
  readonly #made = new Map<string, Balancer>();
  readonly #states: ServerStates;
  readonly #start: number;
  readonly #sticky = new Map<string, StickyTable>();
  /** Told where a client of a sticky service comes. */
  onSticky: ((at: ClientAt) => void) | null = null;
  #hasChanged = false;

  /** `start` is where round robin begins, different in each worker. */
  constructor(states: ServerStates, start: number) {
    this.#states = states;
    this.#start = start;
  }

  /** null: there is no such service any more. */
  put(name: string, row: ServiceRow | null): void {
    const former = this.#services.get(name) ?? null;
    if (row === null) this.#services.delete(name);
    else this.#services.set(name, row);
    this.#noteServers(name, row, former);
    this.#made.delete(name);
    this.#hasChanged = true;
  }

  /**
   * After the changes of a commit. Those made of others begin anew with any of them: one may hold what has changed. States of servers that
   * are gone are forgotten.
   */
  settle(): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    const configured = new Map<string, boolean>();
    for (const [name, row] of this.#services)
      if (row.kind === "loadBalancer")
        for (const server of row.servers) {
          const key = serverKey(name, server.address);
          configured.set(key, server.drain !== undefined || (configured.get(key) ?? false));
        }
    this.#states.keep(configured);
    for (const name of this.#made.keys())
      if (this.#services.get(name)?.kind !== "loadBalancer") this.#made.delete(name);
  }

  /** The master has refused cycles among weighted services; a name without a row has no servers. */
  of(name: string): Balancer {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const row = this.#services.get(name);
    if (row === undefined) return NO_SERVERS;
    const made = this.#make(name, row);
    this.#made.set(name, made);
    return made;
  }

  /** Whether a service, or one that it is made of, asks for what only a CONNECT says. */
  asksConnect(name: string): boolean {
    const row = this.#services.get(name);
    if (row === undefined) return false;
    if (row.kind === "loadBalancer") return asksConnect(row.balancing);
    return childrenOf(row).some((child) => this.asksConnect(child));
  }

  /** Where the clients of a sticky service came; null where it is not sticky. */
  stickyOf(name: string): StickyTable | null {
    const row = this.#services.get(name);
    const sticky = row?.kind === "loadBalancer" ? row.balancing?.sticky : undefined;
    if (sticky === undefined) {
      this.#sticky.delete(name);
      return null;
    }
    let table = this.#sticky.get(name);
    if (table === undefined) {
      const onUse = (client: string, address: string) => this.onSticky?.({ service: name, client, address });
      this.#sticky.set(name, (table = new StickyTable(sticky.maxEntries, onUse)));
    }
    table.maxEntries = sticky.maxEntries;
    return table;
  }

  stickyTables(): Iterable<[service: string, table: StickyTable]> {
    return this.#sticky;
  }

  #noteServers(name: string, row: ServiceRow | null, former: ServiceRow | null): void {
    this.stickyOf(name);
    if (row?.kind !== "loadBalancer") return;
    const { servers, balancing } = row;
    if (balancing?.slowStartMs !== undefined && former?.kind === "loadBalancer") {
      const known = new Set(former.servers.map(({ address }) => address));
      for (const server of servers)
        if (!known.has(server.address)) this.#states.of(serverKey(name, server.address)).upSince = Date.now();
    }
    const isCounted = balancing?.strategy === "leastconn" || balancing?.strategy === "p2c";
    for (const server of servers)
      if (isCounted || server.maxConnections !== undefined) this.#states.of(serverKey(name, server.address)).count();
  }

  #make(name: string, row: ServiceRow): Balancer {
    if (row.kind === "weighted")
      return new Weighted(row.services.map((child) => ({ balancer: this.of(child.name), weight: child.weight })));
    if (row.kind === "failover")
      return new Failover(
        this.of(row.service),
        this.of(row.fallback),
        [...this.#keysBelow(row.service)].map((key) => this.#states.of(key)),
        row.returnAfterMs,
      );
    const targets = row.servers.map((server): Target => {
      const key = serverKey(name, server.address);
      return {
        service: name,
        key,
        server,
        transport: row.transport,
        ...(row.passive !== undefined && { passive: row.passive }),
        ...(row.balancing?.takeover !== undefined && { takesOver: true }),
        state: this.#states.ofServer(key, name, server.address),
      };
    });
    const context = { states: this.#states, start: this.#start, random: Math.random, sticky: this.stickyOf(name) };
    return new LoadBalancer(targets, row.balancing ?? {}, context);
  }

  /** The servers of a service and of all that it is made of. */
  #keysBelow(name: string, keys = new Set<string>(), seen = new Set<string>()): Set<string> {
    const row = this.#services.get(name);
    if (row === undefined || seen.has(name)) return keys;
    seen.add(name);
    if (row.kind === "loadBalancer") for (const server of row.servers) keys.add(serverKey(name, server.address));
    else for (const child of childrenOf(row)) this.#keysBelow(child, keys, seen);
    return keys;
  }
}
