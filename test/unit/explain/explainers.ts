// An explainer of routers that are given as rows, for the tests of this folder.

import type { Compiled } from "../../../src/compile/compile.ts";
import { merge } from "../../../src/compile/merge.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import type { EntryPointConfig } from "../../../src/config/entry-points.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { type Client, readClient } from "../../../src/explain/client.ts";
import { Explainer } from "../../../src/explain/explainer.ts";
import { type RouterAction, type Row, rowKey } from "../../../src/protocol/messages.ts";
import { defaultPriority, parseRule } from "../../../src/rules/parser.ts";
import type { Transport } from "../../../src/upstream/service.ts";

const tls = { serverName: null, insecureSkipVerify: false, ca: null, cert: null, key: null };
export const transport: Transport = {
  dialTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  terminationDelayMs: 100,
  proxyProtocol: null,
  tls,
};
export const point = {
  ...{ name: "mqtts", address: ":8883", host: "", proxyProtocol: null },
  admission: parseStatic(
    "sluice.yml",
    "entryPoints: { mqtts: { address: ':8883' } }",
    new Diagnostics(),
  )!.entryPoints.get("mqtts")!.admission,
} as EntryPointConfig;

export function routerRow(
  name: string,
  text: string,
  priority?: number,
  action: RouterAction = { kind: "passthrough" },
): Extract<Row, { kind: "router" }> {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  const { rule } = parsed;
  return {
    kind: "router",
    name: `${name}@file`,
    value: {
      entryPoints: ["mqtts"],
      rule,
      priority: priority ?? defaultPriority(text, rule),
      action,
      middlewares: [],
      service: "s",
    },
  };
}

export const server = { address: "h:1", host: "h", port: 1, tls: false };
export const SERVICE: Row = {
  kind: "service",
  name: "s",
  value: { kind: "loadBalancer", servers: [server], transport },
};

export function explainerOf(
  rows: readonly Extract<Row, { kind: "router" }>[],
  services: readonly Row[] = [SERVICE],
): Explainer {
  const diagnostics = new Diagnostics();
  const routers = rows.map(({ name, value }) => {
    return { name, entryPoints: value.entryPoints, rule: "", action: value.action.kind, service: value.service };
  });
  const compiled: Compiled = {
    rows: new Map([...rows, ...services].map((row) => [rowKey(row), row])),
    ...{ certificates: [], routers, revocations: [], orders: [], checks: new Map(), refused: new Set() },
    named: { routers: new Set(), services: new Set(), partial: new Set() },
  };
  return new Explainer(compiled, merge([], diagnostics), diagnostics);
}

export function clientOf(options: Parameters<typeof readClient>[0]): Client {
  const client = readClient(options);
  if (typeof client === "string") throw new Error(client);
  return client;
}
