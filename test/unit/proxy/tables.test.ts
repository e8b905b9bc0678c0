// What a worker routes by after any series of changes is what it would route by had it started with their result.

import { expect, test } from "bun:test";
import { type Row, rowKey } from "../../../src/protocol/messages.ts";
import { Meters } from "../../../src/proxy/meters.ts";
import { RoutingTables } from "../../../src/proxy/tables.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import type { Balancing, Transport } from "../../../src/upstream/service.ts";
import type { StickyTable } from "../../../src/upstream/sticky.ts";

const NOBODY = { clientAddress: "", sni: "", clientId: "", username: "", certificate: "" };
const transport = { dialTimeoutMs: 1, keepAliveMs: 1, terminationDelayMs: 1 } as Transport;

function router(name: string, rule: string, service: string, priority = 1): Row {
  const parsed = parseRule(rule);
  if (parsed.kind === "error") throw new Error(parsed.message);
  const action = { kind: "passthrough" } as const;
  return {
    kind: "router",
    name,
    value: { entryPoints: ["mqtts"], rule: parsed.rule, priority, action, middlewares: [], service },
  };
}

function service(name: string, ...ports: number[]): Row {
  const servers = ports.map((port) => ({ address: `h:${port}`, host: "h", port, tls: false }));
  return { kind: "service", name, value: { kind: "loadBalancer", servers, transport } };
}

function weighted(name: string, ...children: string[]): Row {
  return {
    kind: "service",
    name,
    value: { kind: "weighted", services: children.map((each) => ({ name: each, weight: 1 })) },
  };
}

const make = () => new RoutingTables(new Meters(), 0);
const commit = (tables: RoutingTables, version: number) => {
  tables.commit(version);
  return tables;
};
const find = (tables: RoutingTables, sni: string) =>
  tables.match(tables.routes("mqtts").tls, { sni, alpn: [], address: null, mqtt: null });
/** The port that the next connection to `sni` goes to. */
const next = (tables: RoutingTables, sni: string) => find(tables, sni)?.balancer.choose(NOBODY).next()?.server.port;

test("nothing of a new configuration is seen before its commit", () => {
  const rows = make();
  rows.apply([service("s", 1), router("r", "HostSNI(`a`)", "s")], []);
  rows.commit(1);
  rows.apply([service("s", 2)], []);
  rows.apply([router("r2", "HostSNI(`b`)", "s")], ["router/r"]);
  expect([rows.version, next(rows, "a"), next(rows, "b")]).toEqual([1, 1, undefined]);
  rows.commit(2);
  expect([rows.version, next(rows, "a"), next(rows, "b")]).toEqual([2, undefined, 2]);
});

test("a route says whether its rule asks MQTT, and without a CONNECT is the first that could be right", () => {
  const rows = make();
  const at = (sni: string, clientId?: string) => {
    const mqtt = clientId === undefined ? null : { clientId, username: null, version: "5" as const };
    const route = rows.match(rows.routes("mqtts").tls, { sni, alpn: [], address: null, mqtt });
    return route === null ? null : [route.router, route.asksMqtt];
  };
  rows.apply(
    [
      router("sensors", "HostSNI(`a`) && MQTTClientIDRegexp(`^s`)", "s", 2),
      router("others", "HostSNI(`a`)", "s"),
      router("b", "HostSNI(`b`)", "s", 2),
      router("never", "HostSNI(`b`) && MQTTUsername(`x`)", "s"),
      router("lone", "HostSNI(`c`) && !MQTTClientID(`x`)", "s"),
    ],
    [],
  );
  commit(rows, 1);
  expect([at("a"), at("b"), at("c")]).toEqual([
    ["sensors", true],
    ["b", false],
    ["lone", true],
  ]);
  expect([at("a", "s1"), at("a", "S1"), at("c", "y"), at("c", "x")]).toEqual([
    ["sensors", true],
    ["others", false],
    ["lone", true],
    null,
  ]);
});

test("a service that a reload leaves alone goes on where it was; one that changed, and one made of it, begin anew", () => {
  const rows = make();
  const routers = ["kept", "changed", "mixed"].map((name) => router(name, `HostSNI(\`${name}\`)`, name));
  rows.apply([service("kept", 1, 2, 3), service("changed", 1), weighted("mixed", "changed"), ...routers], []);
  rows.commit(1);
  expect([next(rows, "kept"), next(rows, "changed"), next(rows, "mixed")]).toEqual([1, 1, 1]);
  rows.apply([service("changed", 9)], []);
  rows.commit(2);
  expect([next(rows, "kept"), next(rows, "changed"), next(rows, "mixed")]).toEqual([2, 9, 9]);
});

test("a router whose service comes later, goes, or comes back follows it", () => {
  const rows = make();
  rows.apply([router("r", "HostSNI(`a`)", "s")], []);
  expect(next(commit(rows, 1), "a")).toBeUndefined();
  rows.apply([service("s", 5)], []);
  expect(next(commit(rows, 2), "a")).toBe(5);
  rows.apply([], ["service/s"]);
  expect(next(commit(rows, 3), "a")).toBeUndefined();
});

test("after any series of changes a worker routes as one that started with the result", () => {
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return (seed >> 8) % n;
  };
  const names = ["a.x", "b.x", "c.y", "a.y"];
  const rules = [
    ...names.map((name) => `HostSNI(\`${name}\`)`),
    ...["HostSNI(`*.x`)", "HostSNI(`*`)", "HostSNIRegexp(`^a`)", "HostSNI(`a.x`) || HostSNI(`c.y`)", "!HostSNI(`b.x`)"],
    "HostSNI(`a.x`, `a.x`)",
  ].filter((rule) => parseRule(rule).kind !== "error");
  for (let round = 0; round < 200; round++) {
    const rows = make();
    const now = new Map<string, Row>();
    for (let version = 1; version <= 6; version++) {
      const put: Row[] = [];
      const drop: string[] = [];
      for (let change = 0; change < 4; change++) {
        const name = `r${random(5)}`;
        if (random(4) === 0 && now.delete(`router/${name}`)) {
          drop.push(`router/${name}`);
          continue;
        }
        const row = router(name, rules[random(rules.length)]!, "s", random(2));
        const earlier = put.findIndex((each) => each.name === name);
        if (earlier >= 0) put.splice(earlier, 1);
        if (drop.includes(`router/${name}`)) continue;
        put.push(row);
        now.set(rowKey(row), row);
      }
      for (const key of drop) {
        const at = put.findIndex((each) => rowKey(each) === key);
        if (at >= 0) put.splice(at, 1);
        now.delete(key);
      }
      rows.apply(put, drop);
      rows.commit(version);
    }
    const fresh = make();
    fresh.apply([...now.values()], []);
    const expected = commit(fresh, 1);
    for (const sni of [...names, "z", ""])
      expect(find(rows, sni)?.router, `round ${round}, ${sni}`).toBe(find(expected, sni)?.router as string);
    expect(rows.routes("mqtts").tls.size).toBe(now.size);
  }
});

test("a router counts from its first connection on, and is forgotten with its configuration", () => {
  const meters = new Meters();
  const rows = new RoutingTables(meters, 0);
  rows.apply([service("s", 1), router("r", "HostSNI(`a`)", "s"), router("unused", "HostSNI(`b`)", "s")], []);
  find(commit(rows, 1), "a");
  expect([...meters.routes()].map((each) => each.router)).toEqual(["r"]);
  rows.apply([], ["router/r"]);
  rows.commit(2);
  expect([...meters.routes()]).toEqual([]);
});

test("a router has the CONNECT read where its service knows clients by it, also by way of others, and as long as it does", () => {
  const rows = make();
  const balanced = (name: string, balancing: Balancing): Row => {
    const value = { kind: "loadBalancer", servers: [], transport, balancing } as const;
    return { kind: "service", name, value };
  };
  const over: Row = {
    kind: "service",
    name: "over",
    value: { kind: "weighted", services: [{ name: "s", weight: 1 }] },
  };
  const { value, ...named } = router("r", "HostSNI(`a`)", "over") as Extract<Row, { kind: "router" }>;
  rows.apply([over, { ...named, value: { ...value, action: { kind: "terminate", options: "o" } } }], []);
  let version = 0;
  for (const [balancing, isRead] of [
    [{}, false],
    [{ strategy: "hrw" }, true],
    [{ strategy: "hrw", hashKey: "clientIP" }, false],
    [{ strategy: "leastconn" }, false],
    [{ sticky: { key: "username", maxEntries: 1 } }, true],
    [{ sticky: { key: "sni", maxEntries: 1 } }, false],
    [{ takeover: "close" }, true],
  ] as const) {
    rows.apply([balanced("s", balancing)], []);
    rows.commit(++version);
    expect([balancing, find(rows, "a")!.gate !== null]).toEqual([balancing, isRead]);
  }
});

test("a sticky service remembers its clients over a reload that leaves it sticky, and forgets whom there is no room for", () => {
  const rows = make();
  const sticky = (maxEntries: number, port: number): Row => {
    const servers = [port, port + 1].map((each) => ({ address: `a:${each}`, host: "a", port: each, tls: false }));
    const value = {
      kind: "loadBalancer",
      servers,
      transport,
      balancing: { sticky: { key: "clientId", maxEntries } },
    } as const;
    return { kind: "service", name: "s", value };
  };
  const come = (clientId: string) => {
    const choice = find(rows, "a")!.balancer.choose({ ...NOBODY, clientId });
    const target = choice.next()!;
    choice.reached(target);
    return target.server.port;
  };
  rows.apply([sticky(3, 1), router("r", "HostSNI(`a`)", "s")], []);
  rows.commit(1);
  expect(["x", "y", "x", "y", "y"].map(come)).toEqual([1, 2, 1, 2, 2]);
  rows.apply([sticky(3, 2)], []);
  rows.commit(2);
  // The server of x is gone; y stays.
  expect([come("y"), come("x"), come("y")]).toEqual([2, 2, 2]);
  for (const each of ["1", "2", "3"]) come(each);
  const [[, table]] = [...rows.balancers.stickyTables()] as [[string, StickyTable]];
  expect([table.size, table.forgotten, table.get("y")]).toEqual([3, 2, null]);
});
