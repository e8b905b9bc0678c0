// Clients that come to a router by their CONNECT alone, and are refused because it has other TLS settings than the one by which they were
// asked for it. Each that is told of is found by an example, with the table that workers route by: so it is sure, and not all are found.

import type { Diagnostics } from "../config/diagnostics.ts";
import { bareName, shortName } from "../config/names.ts";
import { parseAddress } from "../ip/address.ts";
import { MQTT_VERSIONS } from "../mqtt/version.ts";
import { isForPlain, type RouterAction } from "../protocol/messages.ts";
import { asksMqtt, type Facts, type MqttFacts, type Rule } from "../rules/ast.ts";
import { suffixOf } from "../rules/implies.ts";
import { RouteTable, ruleNames } from "../rules/table.ts";
import { tlsSettings } from "./mqtt-routers.ts";
import type { CheckedRouter } from "./shadows.ts";

/** Rules that are asked about examples: all together some seconds on a slow machine. */
const MAX_ASKED = 5_000_000;
/** Names of one router for which they are. */
const MAX_NAMES = 3;
/** Routers that are told of one by one. */
const MAX_WARNINGS = 100;

/** CONNECTs that few rules name. */
const CONNECTS: readonly MqttFacts[] = ["client", ""].flatMap((clientId) =>
  [null, "user"].flatMap((username) => MQTT_VERSIONS.map((version) => ({ clientId, username, version }))),
);

/** `isSameHandshake` compares TLS options by their names. */
export function warnOtherTls(
  routers: readonly CheckedRouter[],
  isSameHandshake: (a: string, b: string) => boolean,
  diagnostics: Diagnostics,
): void {
  const asking = routers.filter(({ row }) => row.action.kind === "terminate" && asksMqtt(row.rule));
  if (asking.length === 0) return;
  const tables = tablesOf(routers);
  const [tried, told] = [new Set<string>(), new Set<string>()];
  const costOf = costs(routers);
  let left = MAX_ASKED;
  for (const router of asking)
    for (const example of examplesOf(router.row.rule))
      for (const point of router.row.entryPoints) {
        const text = JSON.stringify([point, example]);
        if (tried.has(text)) continue;
        tried.add(text);
        left -= costOf(example.sni);
        if (left < 0 || told.size >= MAX_WARNINGS) return;
        const table = tables.get(point)!;
        const first = table.match(example);
        const last = first === null ? null : otherOf(table, example, first, isSameHandshake);
        if (first === null || last === null || told.has(first.name)) continue;
        told.add(first.name);
        warn(first, last, example.sni, diagnostics);
      }
}

/** How many rules are asked at most about an example of this name: those that say it, and those that say none. */
function costs(routers: readonly CheckedRouter[]): (sni: string) => number {
  const counts = new Map<string, number>();
  for (const { row } of routers) {
    const names = ruleNames(row.rule);
    for (const name of names.length === 0 ? [""] : names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const count = (name: string) => counts.get(name) ?? 0;
  return (sni) => (1 + CONNECTS.length) * (1 + count("") + count(sni) + count(`*${suffixOf(sni)}`));
}

/** The router that a client comes to by one CONNECT or another, and may not. */
function otherOf(
  table: RouteTable<CheckedRouter>,
  example: Facts,
  first: CheckedRouter,
  isSameHandshake: (a: string, b: string) => boolean,
): CheckedRouter | null {
  const asked = first.row.action;
  if (asked.kind !== "terminate" || !asksMqtt(first.row.rule)) return null;
  const isServed = (action: RouterAction) =>
    action.kind === "off" || (action.kind === "terminate" && isSameHandshake(action.options, asked.options));
  for (const mqtt of CONNECTS) {
    const last = table.match({ ...example, mqtt });
    if (last !== null && !isServed(last.row.action)) return last;
  }
  return null;
}

function warn(first: CheckedRouter, last: CheckedRouter, sni: string, diagnostics: Diagnostics): void {
  const name = bareName(first.name);
  const provider = first.name.slice(name.length + 1);
  const client = sni === "" ? "a client without a server name" : `a client of ${sni}`;
  const settings = (router: CheckedRouter) => tlsSettings(router.row.action, provider);
  diagnostics.warn(
    "router-other-tls",
    first.place(),
    `the router "${name}": ${client} whose CONNECT is not for it may come to "${shortName(last.name, provider)}", and is refused: that has ${settings(last)}, and TLS is set up with ${settings(first)}. Give both the same TLS settings, or add a router with those of "${name}" that takes such clients`,
    { kind: "router", name: first.name },
  );
}

function tablesOf(routers: readonly CheckedRouter[]): Map<string, RouteTable<CheckedRouter>> {
  const tables = new Map<string, RouteTable<CheckedRouter>>();
  for (const router of routers) {
    const { entryPoints, action, rule, priority, rank } = router.row;
    if (isForPlain(action)) continue;
    for (const point of entryPoints) {
      let table = tables.get(point);
      if (table === undefined) tables.set(point, (table = new RouteTable()));
      table.add({ name: router.name, rule, priority, rank, value: router });
    }
  }
  return tables;
}

/** Clients that the rule is about, by the first of its names, with all protocols that it names, from the first of its networks. */
function examplesOf(rule: Rule): Facts[] {
  const alpn: string[] = [];
  const networks: string[] = [];
  const collect = (part: Rule): void => {
    if (part.kind === "alpn") alpn.push(part.protocol);
    else if (part.kind === "clientIP") networks.push(part.cidr);
    else if (part.kind === "and" || part.kind === "or") part.rules.forEach(collect);
  };
  collect(rule);
  const [network] = networks;
  const address = network === undefined ? null : parseAddress(network.slice(0, network.indexOf("/")));
  const names = ruleNames(rule).slice(0, MAX_NAMES);
  return (names.length === 0 ? [""] : names).map((name) => {
    return { sni: name.replace(/^\*/, "any"), alpn, address, mqtt: null };
  });
}
