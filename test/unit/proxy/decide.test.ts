// While the CONNECT is not read a decision is for whoever could be meant; a router that is off refuses those alone that are its own.

import { expect, test } from "bun:test";
import type { RouterAction, Row } from "../../../src/protocol/messages.ts";
import { decidePlain, decideTls } from "../../../src/proxy/decide.ts";
import { Meters } from "../../../src/proxy/meters.ts";
import { RoutingTables } from "../../../src/proxy/tables.ts";
import type { MqttFacts } from "../../../src/rules/ast.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import { DEFAULT_OPTIONS } from "../../../src/tls/options.ts";

const TLS: RouterAction = { kind: "terminate", options: "default" };

function tablesOf(...routers: [name: string, rule: string, action: RouterAction][]): RoutingTables {
  const tables = new RoutingTables(new Meters(), 0);
  const rows = routers.map(([name, text, action]): Row => {
    const parsed = parseRule(text);
    if (parsed.kind === "error") throw new Error(parsed.message);
    const { rule } = parsed;
    const value = { entryPoints: ["m"], rule, priority: text.length, action, middlewares: [], service: "s" };
    return { kind: "router", name, value };
  });
  tables.apply([...rows, { kind: "options", name: "default", value: DEFAULT_OPTIONS }], []);
  tables.commit(1);
  return tables;
}

/** What is decided, and of which router; with `provisional` where that waits for the CONNECT. */
function decide(tables: RoutingTables, way: typeof decideTls, clientId?: string): string {
  const mqtt: MqttFacts | null = clientId === undefined ? null : { clientId, username: null, version: "5" };
  const decision = way(tables, "m", { sni: "a", alpn: [], address: null, mqtt });
  const { route } = decision;
  const kind = decision.kind === "refuse" ? decision.reason : decision.kind;
  return `${kind} ${route?.router ?? "-"}${route?.asksMqtt && mqtt === null ? " provisional" : ""}`;
}

const off = (options?: string): RouterAction => ({ kind: "off", tls: true, ...(options ? { options } : {}) });

test("a router whose rule asks nothing of MQTT and comes first is decided on without a CONNECT", () => {
  const tables = tablesOf(
    ["long", "HostSNI(`a`) && !HostSNI(`b`) && !HostSNI(`c`)", TLS],
    ["s", "MQTTVersion(`5`)", TLS],
  );
  expect(decide(tables, decideTls)).toBe("terminate long");
});

test("a router that is off refuses those whose CONNECT says that they are its own, and no others", () => {
  const tables = tablesOf(
    ["sensors", "HostSNI(`a`) && MQTTClientIDRegexp(`^s`)", off("default")],
    ["rest", "HostSNI(`a`)", TLS],
  );
  expect(decide(tables, decideTls)).toBe("terminate sensors provisional");
  expect(decide(tables, decideTls, "s1")).toBe("router-off sensors");
  expect(decide(tables, decideTls, "x")).toBe("terminate rest");
});

test("one of which it is not known by which TLS it would ask refuses whoever could be its own", () => {
  const tables = tablesOf(
    ["sensors", "HostSNI(`a`) && MQTTClientIDRegexp(`^s`)", off()],
    ["gone", "HostSNI(`b`) && MQTTClientIDRegexp(`^s`)", off("gone")],
    ["rest", "HostSNI(`a`)", TLS],
  );
  expect(decide(tables, decideTls)).toBe("router-off sensors provisional");
});

test("one whose rule asks nothing of MQTT is off for all", () => {
  expect(decide(tablesOf(["a", "HostSNI(`a`)", off("default")]), decideTls)).toBe("router-off a");
});

test("of plain clients likewise", () => {
  const tables = tablesOf(
    ["sensors", "MQTTClientIDRegexp(`^s`)", { kind: "off", tls: false }],
    ["rest", "HostSNI(`*`)", { kind: "plain" }],
  );
  expect(decide(tables, decidePlain)).toBe("plain sensors provisional");
  expect(decide(tables, decidePlain, "s1")).toBe("router-off sensors");
  expect(decide(tables, decidePlain, "x")).toBe("plain rest");
});
