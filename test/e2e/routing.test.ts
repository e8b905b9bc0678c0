// A connection goes where the rules say, to the server whose turn it is; a router that is off refuses its names, and nobody else
// takes them over.

import { describe, expect, test } from "bun:test";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["*.test"] });
const [a, b, c, rest, leaving] = await Promise.all(
  ["a", "b", "c", "rest", "leaving"].map((name) => Backend.start(name)),
);
const [deadPort, offPort] = [await freePort(), await freePort()];

const server = (backend: Backend | undefined) => `{ port: ${backend!.port} }`;
const dead = `{ port: ${deadPort} }`;
const router = (name: string, rule: string, service: string, more = "") =>
  `    ${name}: { rule: '${rule}', service: ${service}, tls: {}, entryPoints: [mqtts]${more} }`;

const sluice = await Sluice.start({
  workers: 1,
  entryPoint: `  off: { address: "127.0.0.1:${offPort}" }`,
  dynamic: `
tcp:
  routers:
${[
  router("all", "HostSNI(`*`)", "rest"),
  router("exact", "HostSNI(`exact.test`)", "a"),
  router("wildcard", "HostSNI(`*.wild.test`)", "b"),
  router("in-wildcard", "HostSNI(`special.wild.test`)", "c"),
  router("regexp", "HostSNIRegexp(`^sensor-[0-9]+\\.fleet\\.test$`)", "a"),
  router("outranked", "HostSNI(`x.rank.test`)", "a", ", priority: 10"),
  router("outranking", "HostSNI(`*.rank.test`)", "b", ", priority: 20"),
  router("longer", "HostSNI(`long.test`) && ClientIP(`127.0.0.0/8`)", "b"),
  router("shorter", "HostSNI(`long.test`)", "a"),
  router("z-exact", "HostSNI(`tie.t.test`)", "a", ", priority: 50"),
  router("a-wildcard", "HostSNI(`*.t.test`)", "b", ", priority: 50"),
  router("from-two", "HostSNI(`ip.test`) && ClientIP(`127.0.0.2`)", "b"),
  router("from-any", "HostSNI(`ip.test`)", "a"),
  router("alpn", "HostSNI(`alpn.test`) && ALPN(`mqtt`)", "b"),
  router("no-alpn", "HostSNI(`alpn.test`)", "a"),
  router("either", "(HostSNI(`one.test`) || HostSNI(`two.test`)) && !ALPN(`h2`)", "c"),
  router("nobody-else", "!HostSNIRegexp(`.`) && ClientIP(`127.0.0.3`)", "c"),
  router("round-robin", "HostSNI(`turns.test`)", "turns"),
  router("weighted", "HostSNI(`weighted.test`)", "weighted"),
  router("nested", "HostSNI(`nested.test`)", "nested"),
  router("failover", "HostSNI(`failover.test`)", "failover"),
  router("leaving", "HostSNI(`leaving.test`)", "leaving"),
  router("weighted-failover", "HostSNI(`weighted-failover.test`)", "weighted-failover"),
  router("dead", "HostSNI(`dead.test`)", "dead"),
  router("empty", "HostSNI(`empty.test`)", "empty"),
  router("off-service", "HostSNI(`off-service.test`)", "missing"),
  router("off-broken-service", "HostSNI(`off-broken-service.test`)", "broken"),
  router("off-weighted", "HostSNI(`off-weighted.test`)", "loop"),
  router("off-middleware", "HostSNI(`off-middleware.test`)", "a", ", middlewares: [allow]"),
].join("\n")}
    off-options: { rule: "HostSNI(\`off-options.test\`)", service: a, tls: { options: missing }, entryPoints: [mqtts] }
    off-broken-options: { rule: "HostSNI(\`off-broken-options.test\`)", service: a, tls: { options: broken }, entryPoints: [mqtts] }
    off-passthrough: { rule: "HostSNI(\`off-passthrough.test\`)", service: missing, tls: { passthrough: true }, entryPoints: [mqtts] }
    off-wildcard: { rule: "HostSNI(\`*.off.test\`)", service: missing, tls: {}, entryPoints: [mqtts] }
    off-plain: { rule: "HostSNI(\`*\`)", service: missing, entryPoints: [off] }
    half-there: { rule: "HostSNI(\`half-there.test\`)", service: a, tls: {}, entryPoints: [mqtts, nowhere] }
  services:
    a: { loadBalancer: { servers: [${server(a)}] } }
    b: { loadBalancer: { servers: [${server(b)}] } }
    c: { loadBalancer: { servers: [${server(c)}] } }
    rest: { loadBalancer: { servers: [${server(rest)}] } }
    turns: { loadBalancer: { servers: [${server(a)}, ${server(b)}, ${server(c)}] } }
    weighted: { weighted: { services: [{ name: a, weight: 5 }, { name: b, weight: 2 }, { name: c, weight: 0 }] } }
    nested: { weighted: { services: [{ name: weighted, weight: 1 }, { name: rest, weight: 1 }] } }
    failover: { loadBalancer: { servers: [${dead}, ${server(b)}] } }
    leaving: { loadBalancer: { servers: [${server(leaving)}, ${server(c)}] } }
    weighted-failover: { weighted: { services: [{ name: dead, weight: 3 }, { name: c, weight: 1 }] } }
    dead: { loadBalancer: { servers: [${dead}, ${dead}] } }
    empty: { loadBalancer: { servers: [] } }
    broken: { loadBalancer: { servers: [${server(a)}], serversTransport: missing } }
    loop: { weighted: { services: [{ name: loop }, { name: a }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options:
    broken: { clientAuth: { clientAuthType: RequireAndVerifyClientCert } }
`,
});

const reach = async (name: string | null, args: readonly string[] = []) =>
  (await tlsHandshake(sluice.port, name, args)).reached;

/** How often each backend answers in `count` connections, one after the other. */
async function tally(name: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const reached = (await reach(name)) ?? "refused";
    seen[reached] = (seen[reached] ?? 0) + 1;
  }
  return seen;
}

describe("rules", () => {
  const cases: [what: string, name: string | null, args: string[], expected: string][] = [
    ["an exact name", "exact.test", [], "a"],
    ["an exact name, in capitals", "EXACT.Test", [], "a"],
    ["any other name goes to the catch-all", "other.test", [], "rest"],
    ["no name goes to the catch-all", null, [], "rest"],
    ["a wildcard", "any.wild.test", [], "b"],
    ["a wildcard is one label", "a.b.wild.test", [], "rest"],
    ["an exact name that a wildcard covers too", "special.wild.test", [], "c"],
    ["a regexp", "sensor-17.fleet.test", [], "a"],
    ["a name that the regexp does not match", "sensor-x.fleet.test", [], "rest"],
    ["a higher priority beats an exact name", "x.rank.test", [], "b"],
    ["without priorities the longer rule goes first", "long.test", [], "b"],
    ["with equal priorities an exact name goes before a wildcard", "tie.t.test", [], "a"],
    ["ClientIP, from that address", "ip.test", ["-bind", "127.0.0.2"], "b"],
    ["ClientIP, from another", "ip.test", [], "a"],
    ["ALPN, with that protocol", "alpn.test", ["-alpn", "h2,mqtt"], "b"],
    ["ALPN, with another", "alpn.test", ["-alpn", "h2"], "a"],
    ["ALPN, with none", "alpn.test", [], "a"],
    ["|| with its first name", "one.test", [], "c"],
    ["|| with its second name", "two.test", ["-alpn", "mqtt"], "c"],
    ["! excludes", "two.test", ["-alpn", "h2"], "rest"],
    ["! without any name", null, ["-bind", "127.0.0.3"], "c"],
    ["a router with one entry point that does not exist serves on the other", "half-there.test", [], "a"],
  ];
  for (const [what, name, args, expected] of cases)
    test(`${what}: ${name ?? "no SNI"} reaches ${expected}`, async () => {
      expect(await reach(name, args)).toBe(expected);
    });
});

describe("services", () => {
  test("round robin gives every server the same share", async () => {
    expect(await tally("turns.test", 9)).toEqual({ a: 3, b: 3, c: 3 });
  });

  test("weights are kept exactly, and a weight of 0 is never used", async () => {
    expect(await tally("weighted.test", 14)).toEqual({ a: 10, b: 4 });
  });

  test("a weighted service may be made of weighted services", async () => {
    const seen = await tally("nested.test", 14);
    expect(seen.rest).toBe(7);
    expect(seen.a! + seen.b!).toBe(7);
  });

  test("a server that refuses is passed over, and counted", async () => {
    expect(await tally("failover.test", 4)).toEqual({ b: 4 });
    const labels = { service: "failover@file", server: `127.0.0.1:${deadPort}`, reason: "refused" };
    // Once: from then on it is known.
    expect(await sluice.metric("sluice_dial_errors_total", labels)).toBe(1);
    const line = await sluice.access((each) => each.router === "failover@file");
    expect(line.server).toBe(`127.0.0.1:${b!.port}`);
  });

  test("a server that goes away is passed over from then on", async () => {
    expect(await tally("leaving.test", 2)).toEqual({ leaving: 1, c: 1 });
    await leaving!.stop();
    expect(await tally("leaving.test", 4)).toEqual({ c: 4 });
  });

  test("where all of a weighted child's servers fail, another child serves", async () => {
    expect(await tally("weighted-failover.test", 4)).toEqual({ c: 4 });
  });

  for (const [name, reason] of [
    ["dead", "dial-failed"],
    ["empty", "no-server"],
  ] as const)
    test(`a service whose servers are ${name} closes its clients as ${reason}`, async () => {
      expect(await reach(`${name}.test`)).toBeNull();
      expect(await sluice.access((line) => line.reason === reason)).toMatchObject({ router: `${name}@file` });
      expect(await sluice.metric("sluice_connections_total", { result: reason })).toBe(1);
    });
});

describe("a router that is off", () => {
  const off = [
    ...["service", "broken-service", "weighted", "middleware", "options", "broken-options", "passthrough"].map(
      (what) => [`off-${what}@file`, `off-${what}.test`],
    ),
    ["off-wildcard@file", "any.off.test"],
  ] as const;
  for (const [name, sni] of off)
    test(`${name} refuses ${sni} with unrecognized_name, and the catch-all does not take it`, async () => {
      const dialled = [a, b, c, rest].map((backend) => backend!.connections);
      expect(await tlsHandshake(sluice.port, sni!)).toMatchObject({ reached: null, alert: 112, certificate: null });
      const line = await sluice.access((each) => each.sni === sni);
      expect(line).toMatchObject({ reason: "router-off", router: name });
      expect([a, b, c, rest].map((backend) => backend!.connections)).toEqual(dialled);
    });

  test("a plain one closes its clients without dialling", async () => {
    const client = await RawClient.open(offPort);
    await client.untilClosed();
    const line = await waitFor("its line", () => sluice.accesses.find((each) => each.entryPoint === "off") ?? null);
    expect(line).toMatchObject({ reason: "router-off", router: "off-plain@file" });
  });
});
