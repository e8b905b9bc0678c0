// What a service does with a connection: its servers, their shares, the order of the first dial.

import type { Merged } from "../compile/merge.ts";
import type { RouterRow, Row } from "../protocol/messages.ts";
import { Meters } from "../proxy/meters.ts";
import { RoutingTables } from "../proxy/tables.ts";
import { dialBudgetOf, FIRST_BYTE_MS, type ServiceRow } from "../upstream/service.ts";
import { type Foreseen, known, saysOf } from "./chooser.ts";
import { discoveryOf } from "./discovery.ts";
import { MAX_SHOWN, type ServiceFacts, type ServiceNode } from "./explanation.ts";
import { placeOf } from "./places.ts";

/** Services of a tree that are shown. */
const MAX_NODES = 50;

/** What a worker has that got these rows. */
export function tablesOf(rows: readonly Row[]): RoutingTables {
  const tables = new RoutingTables(new Meters(), 0);
  tables.apply(rows, []);
  tables.commit(1);
  return tables;
}

export function serviceFacts(
  rows: ReadonlyMap<string, Row>,
  merged: Merged,
  name: string,
  client: Foreseen,
): ServiceFacts {
  const order = firstOrder(rows, name, client);
  return {
    name,
    place: placeOf(merged.services.get(name)?.at()),
    tree: nodeOf(rows, client, name, null, 1, { left: MAX_NODES }),
    order: { total: order.length, shown: order.slice(0, MAX_SHOWN) },
  };
}

/** Of balancers of its own: each question moves them on. */
function firstOrder(rows: ReadonlyMap<string, Row>, service: string, client: Foreseen): string[] {
  const services = [...rows.values()].filter(({ kind }) => kind === "service");
  const value: RouterRow = {
    ...{ entryPoints: [""], rule: { kind: "any" }, priority: 0, action: { kind: "plain" }, middlewares: [], service },
  };
  const tables = tablesOf([...services, { kind: "router", name: "", value }]);
  const route = tables.match(tables.routes("").plain, { sni: "", alpn: [], address: null, mqtt: null });
  const choice = route!.balancer.choose(known(client));
  const order: string[] = [];
  for (let target = choice.next(); target !== null; target = choice.next()) order.push(target.server.address);
  return order;
}

function nodeOf(
  rows: ReadonlyMap<string, Row>,
  client: Foreseen,
  name: string,
  weight: number | null,
  share: number,
  nodes: { left: number },
): ServiceNode {
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
  };
  if (nodes.left-- <= 0) return { ...node, kind: "not shown" };
  if (found?.kind !== "service") return { ...node, kind: "missing" };
  const row = found.value;
  if (row.kind === "weighted") {
    const total = row.services.reduce((sum, child) => sum + child.weight, 0);
    const services: ServiceNode[] = [];
    for (const child of row.services) {
      services.push(
        nodeOf(rows, client, child.name, child.weight, total === 0 ? 0 : (share * child.weight) / total, nodes),
      );
      if (nodes.left < 0) break; // one that is not shown stands for all that follow
    }
    return { ...node, kind: "weighted", services };
  }
  if (row.kind === "failover") {
    // Shares are those of a day on which all is well.
    const services = [nodeOf(rows, client, row.service, null, share, nodes)];
    if (nodes.left >= 0) services.push(nodeOf(rows, client, row.fallback, null, 0, nodes));
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
    };
  });
  return {
    ...node,
    kind: "loadBalancer",
    chosen: servers.length > 1 ? saysOf(row.balancing ?? {}, client) : null,
    servers: { total: servers.length, shown },
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
