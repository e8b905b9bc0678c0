// An explanation names the router that a search in order would find, says of each one before it what is false, and stays short.

import { expect, test } from "bun:test";
import { readClient } from "../../../src/explain/client.ts";
import type { Explanation } from "../../../src/explain/explanation.ts";
import { textOf } from "../../../src/explain/text.ts";
import { parseAddress } from "../../../src/ip/address.ts";
import { splitNetworks } from "../../../src/ip/network-parts.ts";
import { NetworkSet } from "../../../src/ip/network-set.ts";
import type { MqttIdentityRow } from "../../../src/middlewares/mqtt-identity.ts";
import { readPasswordFile } from "../../../src/mqtt/password-file.ts";
import { parseTemplate } from "../../../src/mqtt/template.ts";
import { splitUsers } from "../../../src/mqtt/user-parts.ts";
import type { Row } from "../../../src/protocol/messages.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { orderRoutes } from "../../../src/rules/table.ts";
import type { Balancing, Server } from "../../../src/upstream/service.ts";
import { random } from "../../support/random.ts";
import { clientOf, explainerOf, point, routerRow, SERVICE, server, transport } from "./explainers.ts";

const RULES = [
  ...["HostSNI(`a.x`)", "HostSNI(`b.x`)", "HostSNI(`*.x`)", "HostSNI(`*`)", "HostSNIRegexp(`^a`)", "!HostSNI(`b.x`)"],
  ...[
    "HostSNI(`a.x`) && ClientIP(`10.0.0.0/8`)",
    "ClientIP(`10.1.0.0/16`)",
    "HostSNI(`a.x`) && !ClientIP(`10.1.0.0/16`)",
  ],
  ...["HostSNI(`*.x`) && ALPN(`mqtt`)", "ClientIP(`2001:db8::/32`) || HostSNI(`c.y`)", "HostSNI(`a.x`) && !ALPN(`h2`)"],
];
const ADDRESSES = ["10.1.2.3", "10.2.3.4", "192.0.2.1", "2001:db8::1", "2001:db9::1"];

test("the router is the first in order that matches, wherever the client comes from", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = random(seed);
    const rows = Array.from({ length: 1 + dice.below(8) }, (_, index) =>
      routerRow(`r${index}`, dice.pick(RULES), dice.chance(0.5) ? undefined : dice.below(4)),
    );
    const explainer = explainerOf(rows);
    const order = orderRoutes(rows.map(({ name, value }) => ({ ...value, name, value: name })));
    const sni = dice.pick(["a.x", "b.x", "c.y", "d.z"]);
    const alpn = dice.pick([[], ["mqtt"], ["h2"]]);
    const found = (from: string) =>
      order.findIndex(({ rule }) => compile(rule)({ sni, alpn, address: parseAddress(from), mqtt: null }));
    for (const from of ADDRESSES) {
      const [explanation] = explainer.explain(point, clientOf({ sni, alpn, from }));
      const at = found(from);
      expect(explanation!.router?.name ?? null).toBe(order[at]?.name ?? null);
      expect(explanation!.before.shown.map(({ name }) => name)).toEqual(
        order.slice(0, at < 0 ? order.length : at).map(({ name }) => name),
      );
    }
    const anywhere = explainer.explain(point, clientOf({ sni, alpn }));
    const answers = new Set(anywhere.map(({ router }) => router?.name ?? null));
    expect(answers.size).toBe(anywhere.length);
    for (const from of ADDRESSES) expect(answers).toContain(order[found(from)]?.name ?? null);
  }
});

test("of thousands of routers a few are shown, those first whose name is right", () => {
  const rows = Array.from({ length: 5000 }, (_, index) =>
    routerRow(`r${index}`, `HostSNI(\`device-${index}.example\`)`, 9),
  );
  rows.push(
    routerRow("near", "HostSNI(`wanted.example`) && ClientIP(`10.0.0.0/8`)", 10),
    routerRow("all", "HostSNI(`*`)"),
  );
  const [explanation] = explainerOf(rows).explain(point, clientOf({ sni: "wanted.example", from: "192.0.2.1" }));
  expect(explanation!.router!.name).toBe("all@file");
  expect(explanation!.before.total).toBe(5001);
  expect(explanation!.before.shown.length).toBe(20);
  expect(explanation!.before.shown[0]).toMatchObject({
    name: "near@file",
    why: { part: "ClientIP(`10.0.0.0/8`)", reason: "192.0.2.1 is not in it" },
  });
  const text = textOf(explanation!);
  expect(text.length).toBeLessThan(70);
  expect(text).toContain("    ... and 4 981 more");
});

test("more networks than anybody would read are a question for --from", () => {
  const networks = Array.from({ length: 600 }, (_, index) => `ClientIP(\`10.${index >> 8}.${index & 255}.0/24\`)`);
  const rows = [routerRow("many", networks.join(" || "))];
  const explainer = explainerOf(rows);
  expect(() => explainer.explain(point, clientOf({ sni: "a" }))).toThrow("--from");
  expect(explainer.explain(point, clientOf({ sni: "a", from: "192.0.2.1" }))).toHaveLength(1);
});

test("why a later router is later: priority, kind of rule, name", () => {
  const rows = [
    routerRow("b", "HostSNI(`a.x`)", 5),
    routerRow("c", "HostSNI(`a.x`)", 5),
    routerRow("a", "HostSNI(`*.x`)", 5),
    routerRow("low", "HostSNI(`a.x`)", 2),
  ];
  const [explanation] = explainerOf(rows).explain(point, clientOf({ sni: "a.x" }));
  expect(explanation!.router!.name).toBe("b@file");
  expect(explanation!.after.shown.map(({ name, why }) => `${name}: ${why}`)).toEqual([
    "c@file: it is equal in priority and kind, and its name comes later",
    "a@file: of equal priority, a wildcard comes after an exact name",
    "low@file: its priority 2 is below 5",
  ]);
});

test("of providers the one that comes later in the order", () => {
  const later = routerRow("a", "HostSNI(`a.x`)", 5);
  const rows = [
    routerRow("b", "HostSNI(`a.x`)", 5),
    { ...later, name: "a@internal", value: { ...later.value, rank: 1 } },
  ];
  const [explanation] = explainerOf(rows).explain(point, clientOf({ sni: "a.x" }));
  expect(explanation!.router!.name).toBe("b@file");
  expect(explanation!.after.shown.map(({ name, why }) => `${name}: ${why}`)).toEqual([
    "a@internal: of equal priority, its provider comes later in providers.precedence",
  ]);
});

test("inFlightConn with the amount 0 refuses everybody", () => {
  const row = routerRow("a", "HostSNI(`a.x`)");
  const closed = { ...row, value: { ...row.value, middlewares: ["none@file"] } };
  const none: Row = {
    kind: "middleware",
    name: "none@file",
    value: { kind: "inFlightConn", key: "clientIP", ipv4Prefix: 32, ipv6Prefix: 128, amount: 0 },
  };
  const [explanation] = explainerOf([closed], [SERVICE, none]).explain(point, clientOf({ sni: "a.x" }));
  expect(explanation!.verdict).toMatchObject({ served: false, reason: "too-many-connections" });
});

test("mqttAuth refuses a user that its file does not have, and says so where the name is given", () => {
  const read = readPasswordFile(
    "anna:$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==\nbob:plain",
  );
  const { users, texts } = splitUsers(read.kind === "ok" ? read.file.users : new Map());
  const parts = [...texts].map(([name, text]): Row => ({ kind: "part", name, value: { text } }));
  const explainWith = (
    more: { allowAnonymous?: boolean; certificateIsEnough?: boolean },
    username?: string | false,
  ) => {
    const settings = { allowAnonymous: false, certificateIsEnough: false, stripPassword: false, strictCodes: false };
    const auth: Row = {
      ...{ kind: "middleware", name: "auth@file" },
      value: { kind: "mqttAuth", users, key: "", ...settings, ...more },
    };
    const row = routerRow("a", "HostSNI(`a.x`)");
    const asking = { ...row, value: { ...row.value, middlewares: ["auth@file"] } };
    const client = clientOf({ sni: "a.x", ...(username === undefined ? {} : { username }) });
    const [{ verdict, middlewares }] = explainerOf([asking], [SERVICE, auth, ...parts]).explain(point, client) as [
      Explanation,
    ];
    return [verdict.reason, middlewares[0]!.says];
  };
  expect(explainWith({})).toEqual([null, "asks for the user name and the password of one of 1 user"]);
  expect(explainWith({}, "anna")).toEqual([null, "asks for the password: there is a user of this name"]);
  for (const name of ["bob", "carl", ""])
    expect(explainWith({ allowAnonymous: true }, name)).toEqual([
      "bad-credentials",
      "refuses it: there is no user of this name, or its line cannot be used",
    ]);
  expect(explainWith({}, false)[0]).toBe("no-credentials");
  expect(explainWith({ allowAnonymous: true }, false)).toEqual([null, "lets it pass without credentials"]);
  // Nobody has a certificate for a router that does not terminate TLS.
  expect(explainWith({ certificateIsEnough: true }, false)[0]).toBe("no-credentials");
});

test("a place that no client can come from makes no difference", () => {
  const explainer = explainerOf([routerRow("four", "HostSNI(`a`) && ClientIP(`0.0.0.0/0`)")]);
  expect(explainer.explain(point, clientOf({ sni: "a" }))).toHaveLength(2);
  const [only, ...more] = explainer.explain({ ...point, host: "0.0.0.0" }, clientOf({ sni: "a" }));
  expect([only!.client.from, more]).toEqual([["anywhere"], []]);
});

test("behind a load balancer the address in the PROXY header counts: of either family, wherever the balancer is", () => {
  const rules = ["HostSNI(`a`) && ClientIP(`0.0.0.0/0`)", "HostSNI(`a`) && ClientIP(`2001:db8::/32`)"];
  const told: Row = {
    ...(SERVICE as Extract<Row, { kind: "service" }>),
    value: {
      ...{ kind: "loadBalancer", servers: [server] },
      transport: { ...transport, proxyProtocol: { version: 2, tlvs: ["ssl", "authority"] } },
    },
  };
  const explainer = explainerOf(
    rules.map((rule, index) => routerRow(`r${index}`, rule)),
    [told],
  );
  const proxyProtocol = { trustedIPs: ["10.0.0.10"], insecure: false, required: true };
  const behind = { ...point, host: "10.0.0.1", proxyProtocol };
  expect(explainer.explain(behind, clientOf({ sni: "a" })).map(({ client }) => client.from)).toEqual([
    ["0.0.0.0/0"],
    ["other IPv6"],
    ["2001:db8::/32"],
  ]);
  const [explanation] = explainer.explain(behind, clientOf({ sni: "a", from: "2001:db8::1" }));
  expect(explanation!.entryPoint.proxyProtocol).toEqual(proxyProtocol);
  const text = textOf(explanation!).join("\n");
  expect(text).toContain('router "r1@file"');
  expect(text).toContain("of 10.0.0.10 are believed: the client comes from the address in them; who comes without one");
  expect(text).toContain("told first: a PROXY header of version 2 with both addresses, ssl, authority");
  const everybody = { ...behind, proxyProtocol: { trustedIPs: [], insecure: true, required: false } };
  expect(textOf(explainer.explain(everybody, clientOf({ sni: "a", from: "192.0.2.1" }))[0]!).join("\n")).toContain(
    "of everybody are believed",
  );
});

test("a drained server has no share and no turn, and what becomes of its connections is said; where all are, the client is refused", () => {
  const servers = [
    { ...server, address: "a:1" },
    { ...server, address: "b:1", drain: { kind: "spread", perSecond: 50 } },
    { ...server, address: "c:1", drain: { kind: "close" } },
    { ...server, address: "d:1" },
    { ...server, address: "e:1", drain: { kind: "keep" } },
  ] as const;
  const explain = (some: readonly (typeof servers)[number][]) => {
    const value = { kind: "loadBalancer", servers: some, transport } as const;
    const explainer = explainerOf([routerRow("r", "HostSNI(`a`)")], [{ kind: "service", name: "s", value }]);
    return explainer.explain(point, clientOf({ sni: "a", from: "192.0.2.1" }))[0]!;
  };
  const explanation = explain(servers);
  expect(explanation.service!.tree.servers.shown.map(({ share }) => share)).toEqual([0.5, 0, 0, 0.5, 0]);
  expect(explanation.service!.order.shown).toEqual(["a:1", "d:1"]);
  const text = textOf(explanation).join("\n");
  expect(text).toContain("b:1, plain, drained, 50 connections are closed each second");
  expect(text).toContain("c:1, plain, drained, its connections are closed");
  expect(text).toContain("e:1, plain, drained, its connections are kept");
  expect(explain([servers[1], servers[4]]).verdict).toMatchObject({ served: false, reason: "no-server" });
});

test("of a service made of very many others so many are shown, and one line says that there are more", () => {
  const weighted = (name: string, children: readonly string[]): Row => {
    return {
      kind: "service",
      name,
      value: { kind: "weighted", services: children.map((each) => ({ name: each, weight: 1 })) },
    };
  };
  const many = (name: string) => Array.from({ length: 60 }, (_, index) => `${name}${index}`);
  const groups = many("group");
  const s = weighted("s", groups);
  const rows = [s, ...groups.map((name) => weighted(name, many("leaf")))];
  const lines = textOf(
    explainerOf([routerRow("r", "HostSNI(`a.x`)")], rows).explain(point, clientOf({ sni: "a.x" }))[0]!,
  );
  expect(lines.filter((line) => line.includes("of the connections")).length).toBeLessThan(50);
  expect(lines.filter((line) => line.includes("... and more services"))).toHaveLength(1);
});

test("what no client can be is said in one short line", () => {
  const long = "a".repeat(100_000);
  const wrong = [
    { sni: long },
    { sni: `${long}/` },
    { sni: `${long}*` },
    { alpn: [long] },
    { from: long },
    { to: long },
  ];
  for (const options of wrong) {
    const line = readClient(options);
    expect(line).toBeString();
    expect((line as string).length).toBeLessThan(250);
  }
});

test("what DNS makes of a server, and where servers are dialled from, is said", () => {
  const at = (more: object) => ({ ...server, tls: true, ...more });
  const row: Row = {
    ...(SERVICE as Extract<Row, { kind: "service" }>),
    value: {
      kind: "loadBalancer",
      servers: [
        at({ address: "b.test:1", host: "b.test", discover: { kind: "addresses", families: "ipv4" } }),
        at({
          address: "srv:_m._tcp.test",
          host: "_m._tcp.test",
          name: "test",
          discover: { kind: "srv", families: null },
        }),
        at({ address: "unix:///run/m.sock", host: "/run/m.sock", port: 0, tls: false }),
      ],
      transport: { ...transport, sourceAddresses: ["10.0.0.5", "10.0.0.6"] },
    },
  };
  const [explanation] = explainerOf([routerRow("a", "HostSNI(`a`)")], [row]).explain(point, clientOf({ sni: "a" }));
  const text = textOf(explanation!).join("\n");
  expect(text).toContain("each IPv4 address of it is a server, as DNS says, verified as b.test");
  expect(text).toContain(
    "each record is a server, as DNS says; those of higher priority numbers are backups, verified as test",
  );
  expect(text).toContain("unix:///run/m.sock, plain");
  expect(text).toContain("dialled from 10.0.0.5, 10.0.0.6, in turn");
});

test("the order of the servers is the client's own where they are chosen by what it is, and why is said", () => {
  const servers = ["a:1", "b:1", "c:1", "d:1"].map((address) => ({ ...server, address }));
  const explain = (
    balancing: Balancing,
    options: Parameters<typeof clientOf>[0] = {},
    some: readonly Server[] = servers,
  ) => {
    const value = { kind: "loadBalancer", servers: some, transport, balancing } as const;
    const explainer = explainerOf([routerRow("r", "HostSNI(`a`)")], [{ kind: "service", name: "s", value }]);
    return explainer.explain(point, clientOf({ sni: "a", from: "192.0.2.1", ...options }))[0]!;
  };
  const orders = ["x", "y", "z"].map((clientId) => explain({ strategy: "hrw" }, { clientId }).service!.order.shown);
  expect(new Set(orders.map(String)).size).toBeGreaterThan(1);
  for (const order of orders) expect([...order].sort()).toEqual(["a:1", "b:1", "c:1", "d:1"]);
  const text = (...asked: Parameters<typeof explain>) => textOf(explain(...asked)).join("\n");
  expect(text({ strategy: "hrw" }, { clientId: "x" })).toContain(
    'one is chosen by a hash of its client id "x": always in the order that is shown, in every worker',
  );
  expect(text({ strategy: "hrw", hashKey: "username" }, { clientId: "x" })).toContain(
    "one is chosen by a hash of its user name, which is not known here (--username)",
  );
  expect(text({ strategy: "hrw", hashKey: "username" }, { username: false })).toContain(
    "one is chosen in turn, because it has no user name for hrw",
  );
  expect(text({ strategy: "leastconn" })).toContain("one is chosen by its connections: the fewest for its weight");
  expect(text({ strategy: "p2c", sticky: { key: "sni", maxEntries: 1 } })).toContain(
    "one is chosen as last time for its SNI; for a new client by chance and by its connections",
  );
  const various = [
    { ...servers[0]!, weight: 3 },
    { ...servers[1]!, maxConnections: 20_000 },
    { ...servers[2]!, backup: true },
    { ...servers[3]!, weight: 0 },
  ];
  const told = text({}, {}, various);
  for (const line of ["a:1, plain, 75 % of the connections", "b:1, plain, 25 % of the connections, at most 20 000"])
    expect(told).toContain(line);
  for (const line of [
    "c:1, plain, a backup",
    "d:1, plain, 0 % of the connections",
    "first dial    a:1, b:1, c:1, each",
  ])
    expect(told).toContain(line);
});

test("a client is known to its service as the server will see it", () => {
  const servers = ["a:1", "b:1", "c:1", "d:1"].map((address) => ({ ...server, address }));
  const value = { kind: "loadBalancer", servers, transport, balancing: { strategy: "hrw" } } as const;
  const template = parseTemplate("{mqtt.username}-1");
  if (template.kind !== "ok") throw new Error(template.message);
  const made: MqttIdentityRow = {
    ...{ kind: "mqttIdentity", username: null, clientId: template.template, password: { kind: "keep" }, require: [] },
  };
  const identity: Row = { kind: "middleware", name: "identity", value: made };
  const router = { ...routerRow("r", "HostSNI(`a`)") };
  const row = { ...router, value: { ...router.value, middlewares: ["identity"] } };
  const explainer = explainerOf([row], [{ kind: "service", name: "s", value }, identity]);
  const said = (options: Parameters<typeof clientOf>[0]) =>
    textOf(explainer.explain(point, clientOf({ sni: "a", from: "192.0.2.1", ...options }))[0]!).join("\n");
  expect(said({ clientId: "x", username: "u" })).toContain('a hash of its client id "u-1"');
  expect(said({ clientId: "x" })).toContain("a hash of its client id, which is not known here");
});

test("a list of networks from a file is looked into, and tells who is refused by it", () => {
  const { list, parts } = splitNetworks(NetworkSet.read(["192.0.2.0/24"]), 1);
  const row = routerRow("a", "HostSNI(`a.x`)");
  const guarded = { ...row, value: { ...row.value, middlewares: ["denied@file"] } };
  const rows: Row[] = [...parts].map(([name, text]) => ({ kind: "part", name, value: { text } }));
  const value = { kind: "ipDenyList", sourceRange: [], sourceFile: list } as const;
  const explainer = explainerOf([guarded], [SERVICE, ...rows, { kind: "middleware", name: "denied@file", value }]);
  const verdictOf = (from: string) => explainer.explain(point, clientOf({ sni: "a.x", from }))[0]!.verdict;
  expect(verdictOf("192.0.2.7")).toMatchObject({ served: false, reason: "address-denied" });
  expect(verdictOf("192.0.3.7")).toMatchObject({ served: true });
  // Without an address there are two cases.
  expect(explainer.explain(point, clientOf({ sni: "a.x" })).length).toBe(2);
});
