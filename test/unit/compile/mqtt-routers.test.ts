// Routers that differ only in what they ask of the CONNECT have the same TLS settings, or are off; and a mistake in one lets in nobody.

import { describe, expect, test } from "bun:test";
import { tlsConflicts } from "../../../src/compile/mqtt-routers.ts";
import { warnOtherTls } from "../../../src/compile/other-tls.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import type { Rule } from "../../../src/rules/ast.ts";
import { cpuMs } from "../../support/cpu.ts";
import { compileTexts, type Snapshot } from "./snapshots.ts";

const compiled = (routers: Readonly<Record<string, string>>): Snapshot =>
  compileTexts(`
tcp:
  routers:
${Object.entries(routers)
  .map(([name, fields]) => `    ${name}: { ${fields}${fields.includes("service:") ? "" : ", service: s"} }`)
  .join("\n")}
  services: { s: { loadBalancer: { servers: [{ port: 1884 }] } } }
tls:
  options: { other: { minVersion: VersionTLS13 }, same: { minVersion: VersionTLS13 } }
`);

const actions = ({ router }: Snapshot, ...names: string[]) => names.map((name) => router(name)!.action);
const errors = ({ problems }: Snapshot) => problems.filter((line) => !line.includes(": warning: "));

const OFF = { kind: "off", tls: true } as const;
const TLS = { kind: "terminate", options: "default" } as const;
const A = "rule: 'HostSNI(`a.x`)'";
const SENSORS = "rule: 'MQTTClientIDRegexp(`^sensor-`) && HostSNI(`a.x`)'";

describe("routers that differ only in what they ask of the CONNECT", () => {
  test("and have equal TLS settings are both sound", () => {
    const snapshot = compiled({ a: `${A}, tls: {}`, b: `${SENSORS}, tls: { options: default }` });
    expect(actions(snapshot, "a", "b")).toEqual([TLS, TLS]);
    expect(errors(snapshot)).toEqual([]);
  });

  test("and have other TLS options are both off, and each names the other", () => {
    const snapshot = compiled({ a: `${A}, tls: {}`, b: `${SENSORS}, tls: { options: other }` });
    expect(actions(snapshot, "a", "b")).toEqual([OFF, OFF]);
    expect(errors(snapshot)).toEqual([
      'a.yml:4:34: the router "a" is off: "b" differs from it only in what it asks of the CONNECT, which comes after TLS, and has the TLS options "other", where "a" has the default TLS options. Give both the same TLS settings',
      'a.yml:5:68: the router "b" is off: "a" differs from it only in what it asks of the CONNECT, which comes after TLS, and has the default TLS options, where "b" has the TLS options "other". Give both the same TLS settings',
    ]);
  });

  test("and of which one passes TLS through are both off", () => {
    const snapshot = compiled({ a: `${A}, tls: { passthrough: true }`, b: `${SENSORS}, tls: {}` });
    expect(actions(snapshot, "a", "b")).toEqual([OFF, OFF]);
  });

  test("may be any number: each that has other settings than one of them is off", () => {
    const snapshot = compiled({
      a: `${SENSORS}, tls: {}`,
      b: "rule: 'HostSNI(`a.x`) && MQTTVersion(`5`)', tls: {}",
      c: "rule: 'HostSNI(`a.x`) && !MQTTVersion(`5`)', tls: { options: other }",
      // No CONNECT tells these two apart, and of the first no other one has other settings.
      d: "rule: 'HostSNI(`b.x`)', tls: {}",
      e: "rule: 'HostSNI(`b.x`)', tls: { options: other }",
    });
    expect(actions(snapshot, "a", "b", "c")).toEqual([OFF, OFF, OFF]);
    expect(actions(snapshot, "d", "e")).toEqual([TLS, { kind: "terminate", options: "other@file" }]);
  });

  test("on other entry points, for plain clients, or under other names have nothing to do with each other", () => {
    const snapshot = compiled({
      a: `${A}, tls: {}, entryPoints: [mqtts]`,
      b: `${SENSORS}, tls: { options: other }, entryPoints: [other]`,
      c: "rule: 'HostSNI(`b.x`) && MQTTVersion(`5`)', tls: { options: other }",
      plain: "rule: 'MQTTVersion(`5`)'",
      all: "rule: 'HostSNI(`*`)', tls: {}",
    });
    expect(errors(snapshot)).toEqual([]);
    expect(snapshot.router("plain")!.action).toEqual({ kind: "plain" });
  });
});

test("a router that asks MQTT and passes TLS through is off, and keeps what it asks", () => {
  const snapshot = compiled({ a: `${SENSORS}, tls: { passthrough: true }` });
  expect(snapshot.router("a")).toMatchObject({
    action: OFF,
    rule: { kind: "and", rules: [{ kind: "mqttClientIdRegexp" }, { kind: "hostSNI", name: "a.x" }] },
  });
  expect(errors(snapshot).join()).toContain("nobody reads that. Clients that it could match are refused");
});

describe("of a router that is off for another reason, clients are asked for their CONNECT", () => {
  const missing = "service: missing";
  test.each([
    [
      "by its own TLS options, where these are sound",
      `${SENSORS}, ${missing}, tls: {}`,
      { ...OFF, options: "default" },
    ],
    ["unless these are broken", `${SENSORS}, ${missing}, tls: { options: broken }`, OFF],
    ["unless these are missing", `${SENSORS}, ${missing}, tls: { options: gone }`, OFF],
    ["unless it passes TLS through", `${SENSORS}, ${missing}, tls: { passthrough: true }`, OFF],
    ["unless its rule asks nothing of it", `${A}, ${missing}, tls: {}`, OFF],
  ])("%s", (_, fields, action) => {
    const { router } = compileTexts(`tcp: { routers: { r: { ${fields} } } }
tls: { options: { broken: { minVersion: VersionTLS13, maxVersion: VersionTLS12 } } }`);
    expect(router("r")!.action).toEqual(action);
  });

  test("and one of other TLS settings beside it is off too, though it is off itself", () => {
    const snapshot = compileTexts(`
tcp:
  routers:
    r: { ${SENSORS}, service: missing, tls: { options: other } }
    a: { ${A}, service: s, tls: {} }
  services: { s: { loadBalancer: { servers: [{ port: 1884 }] } } }
tls: { options: { other: { minVersion: VersionTLS13 } } }`);
    expect(actions(snapshot, "r", "a")).toEqual([OFF, OFF]);
  });
});

test("certificates are for the names of rules, once, whatever else these ask", () => {
  const { problems } = compiled({
    a: `${SENSORS}, tls: {}`,
    b: "rule: 'HostSNI(`a.x`) && !MQTTVersion(`5`)', tls: {}",
  });
  expect(problems.filter((line) => line.includes("no certificate"))).toEqual([
    expect.stringContaining('the router "a" has no certificate for a.x'),
  ]);
});

describe("a client that comes to a router by its CONNECT alone", () => {
  const warned = (routers: Readonly<Record<string, string>>) =>
    compiled(routers).problems.filter((line) => line.includes("is refused: that has"));

  test("and would find other TLS settings there is told of, with both routers", () => {
    expect(warned({ a: `${SENSORS}, tls: { options: other }`, all: "rule: 'HostSNI(`*`)', tls: {}" })).toEqual([
      'a.yml:4:10: warning: the router "a": a client of a.x whose CONNECT is not for it may come to "all", and is refused: that has the default TLS options, and TLS is set up with the TLS options "other". Give both the same TLS settings, or add a router with those of "a" that takes such clients',
    ]);
    const through = "rule: 'HostSNI(`*`)', tls: { passthrough: true }";
    expect(warned({ a: `${SENSORS}, tls: {}`, through }).join()).toContain('come to "through"');
    expect(
      warned({
        a: "rule: 'MQTTClientID(`x`) && ClientIP(`10.0.0.0/8`) && ALPN(`mqtt`)', tls: {}, priority: 9",
        b: "rule: 'ClientIP(`10.0.0.0/8`)', tls: { options: other }, priority: 8",
      }).join(),
    ).toContain("a client without a server name");
  });

  test.each([
    ["settings are equal", { all: "rule: 'HostSNI(`*`)', tls: { options: other }" }],
    ["settings differ only in name", { all: "rule: 'HostSNI(`*`)', tls: { options: same }" }],
    ["one between takes it", { a2: `${A}, tls: { options: other }`, all: "rule: 'HostSNI(`*`)', tls: {}" }],
    ["nobody takes it", { b: "rule: 'HostSNI(`b.x`)', tls: {}" }],
    [
      "every CONNECT is for one or the other",
      {
        not: "rule: 'HostSNI(`a.x`) && !MQTTClientIDRegexp(`^sensor-`)', tls: { options: other }",
        all: "rule: 'HostSNI(`*`)', tls: {}",
      },
    ],
    ["it is on another entry point", { all: "rule: 'HostSNI(`*`)', tls: {}, entryPoints: [other]" }],
    ["it is off", { all: "rule: 'HostSNI(`*`)', tls: {}, service: gone" }],
  ])("is not where %s", (_, others) => {
    expect(warned({ a: `${SENSORS}, tls: { options: other }, entryPoints: [mqtts]`, ...others })).toEqual([]);
  });
});

test("examples are tried for a bounded time, however many rules there are, and whatever they say", () => {
  const named = (index: number): Rule => ({ kind: "and", rules: [NAME, { kind: "mqttClientId", value: `c${index}` }] });
  const protocol = (index: number): Rule => ({
    kind: "and",
    rules: [named(index), { kind: "alpn", protocol: `p${index}` }],
  });
  const regexp = (index: number): Rule => ({
    kind: "and",
    rules: [VERSION, { kind: "hostSNIRegexp", source: `^h${index}` }],
  });
  for (const rule of [named, protocol, regexp]) {
    const routers = Array.from({ length: 5000 }, (_, index) => ({
      name: `r${index}`,
      row: { entryPoints: ["m"], rule: rule(index), priority: 1, action: TLS, middlewares: [], service: "s" },
      place: () => ({ file: "f", line: 1, column: 1 }),
    }));
    expect(cpuMs(() => warnOtherTls(routers, () => true, new Diagnostics()))).toBeLessThan(8000);
  }
});

const NAME: Rule = { kind: "hostSNI", name: "a.x" };
const VERSION: Rule = { kind: "mqttVersion", version: "5" };

test("100 000 routers are compared in a moment, each with those of its names", () => {
  const routers = Array.from({ length: 100_000 }, (_, index) => {
    const name: Rule = { kind: "hostSNI", name: `h${index >> 1}.x` };
    const rule: Rule = index % 2 === 0 ? name : { kind: "and", rules: [name, { kind: "mqttVersion", version: "5" }] };
    return {
      entryPoints: ["mqtts"],
      rule,
      action: { kind: "terminate", options: index > 3 ? "a" : `o${index}` } as const,
    };
  });
  let conflicts = 0;
  const cost = cpuMs(() => {
    conflicts = tlsConflicts(routers).size;
  });
  expect(conflicts).toBe(4);
  expect(cost).toBeLessThan(8000); // measured a tenth of it; each with each would take hours
});
