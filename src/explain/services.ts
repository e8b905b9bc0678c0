// What a service does with a connection: its servers, their shares, the order of the first dial.

import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import type { RouterRow, Row } from "../protocol/messages.ts";
import { Meters } from "../proxy/meters.ts";
import { RoutingTables } from "../proxy/tables.ts";
import { NEW_SERVER } from "../upstream/server-state.ts";
import { dialBudgetOf, FIRST_BYTE_MS, type ServiceRow, serverKey } from "../upstream/service.ts";
import { type Foreseen, known, saysOf } from "./chooser.ts";
import { discoveryOf } from "./discovery.ts";
import { MAX_SHOWN, type ServiceFacts, type ServiceNode } from "./explanation.ts";
import { placeOf } from "./places.ts";
import { type ServerFinding, watchingOf } from "./watching.ts";

/** Services of a tree that are shown. */
const MAX_NODES = 50;

/** What a worker has that got these rows. */
export function tablesOf(rows: readonly Row[]): RoutingTables {
  const tables = new RoutingTables(new Meters(), 0);
  tables.apply(rows, []);
  tables.commit(1);
  return tables;
}

/** What is known of servers and of how they are watched. */
export interface ServersKnown {
  readonly checks: Compiled["checks"];
  /** By the key of a server; empty when nobody has asked for checks. */
  readonly found: ReadonlyMap<string, ServerFinding>;
}

export function serviceFacts(
  rows: ReadonlyMap<string, Row>,
  merged: Merged,
  name: string,
  client: Foreseen,
  servers: ServersKnown,
): ServiceFacts {
  const order = firstOrder(rows, name, client, servers.found);
  return {
    name,
    place: placeOf(merged.services.get(name)?.at()),
    tree: nodeOf({ rows, client, servers }, name, null, 1, { left: MAX_NODES }),
    order: { total: order.length, shown: order.slice(0, MAX_SHOWN) },
  };
}

/** Of balancers of its own: each question moves them on. Servers that are down come last. */
function firstOrder(
  rows: ReadonlyMap<string, Row>,
  service: string,
  client: Foreseen,
  found: ServersKnown["found"],
): string[] {
  const services = [...rows.values()].filter(({ kind }) => kind === "service");
  const value: RouterRow = {
    ...{ entryPoints: [""], rule: { kind: "any" }, priority: 0, action: { kind: "plain" }, middlewares: [], service },
  };
  const tables = tablesOf([...services, { kind: "router", name: "", value }]);
  const route = tables.match(tables.routes("").plain, { sni: "", alpn: [], address: null, mqtt: null });
  tables.servers.put(
    [...found].map(([key, { isUp }]) => ({ ...NEW_SERVER, key, health: isUp ? ("up" as const) : ("down" as const) })),
  );
  const choice = route!.balancer.choose(known(client));
  const order: string[] = [];
  for (let target = choice.next(); target !== null; target = choice.next()) order.push(target.server.address);
  for (let last = choice.lastResort(); last !== null; last = choice.lastResort()) order.push(last.server.address);
  return order;
}

/** What all nodes of a tree are made of. */
interface Ground {
  readonly rows: ReadonlyMap<string, Row>;
  readonly client: Foreseen;
  readonly servers: ServersKnown;
}

function nodeOf(
  ground: Ground,
  name: string,
  weight: number | null,
  share: number,
  nodes: { left: number },
): ServiceNode {
  const { rows, client } = ground;
  const found = rows.get(`service/${name}`);
  const node = {
    name,
    weight,
    share,
    servers: { total: 0, shown: [] },
    transport: null,
    services: [],
    returnAfterMs: null,
    chosen: null,
    watching: null,
  };
  if (nodes.left-- <= 0) return { ...node, kind: "not shown" };
  if (found?.kind !== "service") return { ...node, kind: "missing" };
  const row = found.value;
  if (row.kind === "weighted") {
    const total = row.services.reduce((sum, child) => sum + child.weight, 0);
    const services: ServiceNode[] = [];
    for (const child of row.services) {
      services.push(nodeOf(ground, child.name, child.weight, total === 0 ? 0 : (share * child.weight) / total, nodes));
      if (nodes.left < 0) break; // one that is not shown stands for all that follow
    }
    return { ...node, kind: "weighted", services };
  }
  if (row.kind === "failover") {
    // Shares are those of a day on which all is well.
    const services = [nodeOf(ground, row.service, null, share, nodes)];
    if (nodes.left >= 0) services.push(nodeOf(ground, row.fallback, null, 0, nodes));
    return { ...node, kind: "failover", returnAfterMs: row.returnAfterMs, services };
  }
  const { servers, transport } = row;
  const regular = servers.filter(({ drain, backup }) => drain === undefined && !backup);
  // Backups take turns where there is no other server.
  const inTurn = regular.length > 0 ? regular : servers.filter(({ drain }) => drain === undefined);
  const total = inTurn.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const shown = servers.slice(0, MAX_SHOWN).map((server) => {
    const { address, tls, drain = null, weight = 1, maxConnections = null, backup = false } = server;
    const turns = inTurn.includes(server) && total > 0 ? (share * weight) / total : 0;
    return {
      ...({ address, share: turns, dial: tls ? "tls" : "plain", weight, maxConnections, backup, drain } as const),
      discovery: discoveryOf(server),
      check: ground.servers.found.get(serverKey(name, server.address)) ?? null,
    };
  });
  return {
    ...node,
    kind: "loadBalancer",
    chosen: servers.length > 1 ? saysOf(row.balancing ?? {}, client) : null,
    servers: { total: servers.length, shown },
    watching: watchingOf(ground.servers.checks.get(name) ?? null, row.passive),
    transport: {
      dialTimeoutMs: transport.dialTimeoutMs,
      dialBudgetMs: dialBudgetOf(transport),
      firstByteTimeoutMs: transport.firstByteTimeoutMs ?? FIRST_BYTE_MS,
      keepAliveMs: transport.keepAliveMs,
      terminationDelayMs: transport.terminationDelayMs,
      proxyProtocol: transport.proxyProtocol,
      verify: servers.some(({ tls }) => tls) ? verification(transport.tls) : null,
      clientCertificate: transport.tls.cert !== null,
      sourceAddresses: transport.sourceAddresses ?? [],
    },
  };
}

function verification(tls: Extract<ServiceRow, { kind: "loadBalancer" }>["transport"]["tls"]): string {
  if (tls.insecureSkipVerify) return "not verified";
  const name = tls.serverName === null ? "the server's host" : tls.serverName;
  return `verified as ${name} by ${tls.ca === null ? "the public authorities" : "rootCAs"}`;
}
