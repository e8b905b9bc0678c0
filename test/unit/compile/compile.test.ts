// What becomes of routers, services and certificates: sound ones are rows, broken ones are `off` and keep their names, and each says why.

import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AcmeInput } from "../../../src/acme/facts.ts";
import { Authority, type Pair } from "../../support/certs.ts";
import { sized } from "../../support/full-size.ts";
import { temporaryDirectory } from "../../support/tools.ts";
import { compileTexts, NOW } from "./snapshots.ts";

const SERVICE = "services: { s: { loadBalancer: { servers: [{ port: 1884 }] } } }";
const routers = (text: string, more = "") => compileTexts(`tcp: { routers: { ${text} }, ${SERVICE} }\n${more}`);

describe("a router", () => {
  test("is sound: its row holds rule, entry points, action and service", () => {
    const { router, compiled } = routers("r: { rule: 'HostSNI(`a.example`)', service: s@file, tls: {} }");
    expect(router("r")).toEqual({
      entryPoints: ["mqtts", "other"],
      rule: { kind: "hostSNI", name: "a.example" },
      priority: 20,
      action: { kind: "terminate", options: "default" },
      middlewares: [],
      service: "s@file",
    });
    expect(compiled.routers).toEqual([
      {
        name: "r@file",
        entryPoints: ["mqtts", "other"],
        rule: "HostSNI(`a.example`)",
        action: "terminate",
        service: "s@file",
      },
    ]);
  });

  const off: [string, string, string][] = [
    ["a missing service", "service: x, tls: {}", 'the service "x" does not exist'],
    ["a service of another provider", "service: s@docker, tls: {}", 'the service "s@docker" does not exist'],
    ["no service", "tls: {}", "it names no service"],
    ["a service that is off", "service: broken, tls: {}", 'the service "broken" is off'],
    ["a missing TLS option", "service: s, tls: { options: x }", 'the TLS option "x" does not exist'],
    ["a broken TLS option", "service: s, tls: { options: broken }", 'the TLS option "broken" is broken'],
    ["a missing middleware", "service: s, tls: {}, middlewares: [m]", 'the middleware "m" does not exist'],
    [
      "a middleware of no kind",
      "service: s, tls: {}, middlewares: [none]",
      'the middleware "none" is off: it has no kind',
    ],
    ["a middleware of two kinds", "service: s, tls: {}, middlewares: [both]", "it has ipAllowList and inFlightConn"],
    ["a middleware with a bad network", "service: s, tls: {}, middlewares: [bad]", '"10.0.0.0/33" is neither'],
    ["HostSNI without tls", "service: s", "HostSNI needs TLS"],
  ];
  test.each(off)("with %s is off, and no other router gets its names", (_, fields, why) => {
    const { router, problems } = compileTexts(`
tcp:
  routers: { r: { rule: 'HostSNI(\`a.example\`)', ${fields} } }
  services: { s: { loadBalancer: { servers: [{ port: 1884 }] } }, broken: {} }
  middlewares:
    none: {}
    both: { ipAllowList: { sourceRange: [10.0.0.1] }, inFlightConn: { amount: 1 } }
    bad: { ipAllowList: { sourceRange: [10.0.0.1, 10.0.0.0/33] } }
tls:
  options: { broken: { minVersion: VersionTLS13, maxVersion: VersionTLS12 } }
`);
    expect(router("r")).toMatchObject({
      rule: { kind: "hostSNI", name: "a.example" },
      action: { kind: "off", tls: true },
    });
    expect(problems.join("\n")).toContain(why);
  });

  test("for plain MQTT that is off refuses plain MQTT, not TLS", () => {
    expect(routers("r: { rule: 'HostSNI(`*`)', service: x }").router("r")!.action).toEqual({ kind: "off", tls: false });
  });

  test.each([
    ["no rule", "service: s, tls: {}"],
    ["a rule that cannot be read", "rule: 'HostSNI(', service: s, tls: {}"],
    ["no entry point that exists", "rule: 'HostSNI(`a`)', entryPoints: [x], service: s, tls: {}"],
    ["the entry point of /ping alone", "rule: 'HostSNI(`a`)', entryPoints: [traefik], service: s, tls: {}"],
    ["an empty rule", "rule: '', service: s, tls: {}"],
    ["two names in one HostSNI, as in Traefik v2", "rule: 'HostSNI(`a`, `b`)', service: s, tls: {}"],
    ["Traefik's v2 rule syntax", "rule: 'HostSNI(`a`)', service: s, tls: {}, ruleSyntax: v2"],
  ])("with %s has names that are not known: nothing of its provider may be used", (_, fields) => {
    const { compiled, problems } = routers(`r: { ${fields} }, fine: { rule: 'HostSNI(\`b\`)', service: s, tls: {} }`);
    expect(compiled.refused).toEqual(new Set(["file"]));
    expect(problems.some((line) => line.includes('the router "r" refuses the load: '))).toBe(true);
  });

  test("with @ in its name has a name that is not known, and nothing of its provider may be used", () => {
    const { compiled } = routers("'r@file': { rule: 'HostSNI(`a`)', service: s, tls: {} }");
    expect(compiled.refused).toEqual(new Set(["file"]));
  });

  test("takes the entry points that exist, each once", () => {
    const points = (text: string) =>
      routers(`r: { rule: 'HostSNI(\`*\`)', service: s, ${text} }`).router("r")?.entryPoints;
    expect(points("entryPoints: [x, other, other, mqtts]")).toEqual(["other", "mqtts"]);
    expect(points('entryPoints: "mqtts, other"')).toEqual(["mqtts", "other"]);
    expect(points("entryPoints: []")).toEqual(["mqtts", "other"]); // as if it were not there
  });

  test("without entryPoints takes those marked asDefault, if there are any", () => {
    const { router } = compileTexts(`tcp: { routers: { r: { rule: 'HostSNI(\`*\`)', service: s } }, ${SERVICE} }`, {
      static: "entryPoints: { a: { address: ':1' }, b: { address: ':2', asDefault: true } }\n",
    });
    expect(router("r")!.entryPoints).toEqual(["b"]);
  });

  test.each([
    ["tls: {}", { kind: "terminate", options: "default" }],
    ["tls: { options: default }", { kind: "terminate", options: "default" }],
    ["tls: { options: strong@file }", { kind: "terminate", options: "strong@file" }],
    ["tls: { passthrough: true }", { kind: "passthrough" }],
    ["tls:", { kind: "plain" }],
    ["tls: false", { kind: "plain" }],
  ])("%s does what it says", (tls, action) => {
    const { router } = routers(`r: { rule: 'HostSNI(\`*\`)', service: s, ${tls} }`, "tls: { options: { strong: {} } }");
    expect(router("r")!.action).toEqual(action as never);
  });
});

describe("priority", () => {
  test.each([
    ["HostSNI(`a.example`)", "", 20],
    ["HostSNI(`*`)", "", -1],
    ["hostsni(`*`)", "", -1],
    ["HostSNI(`*`) || HostSNI(`*`)", "", 28],
    ["ClientIP(`0.0.0.0/0`)", "", 21],
    ["HostSNI(`*`) && ALPN(`mqtt`)", "", 28],
    ["HostSNIRegexp(`^a`)", "", 19],
    ["HostSNI(`a.example`)", "priority: 0", 20], // 0 is "not given"
    ["HostSNI(`a.example`)", "priority: 7", 7],
    ["HostSNI(`a.example`)", "priority: -5", -5],
    ["HostSNI(`*`)", "priority: 1000", 1000],
    [" HostSNI(`a`) ", "", 14], // the text as it is written
  ])("of %s with %j is %d", (rule, fields, priority) => {
    const { router } = routers(`r: { rule: '${rule}', service: s, tls: {}, ${fields} }`);
    expect(router("r")!.priority).toBe(priority);
  });
});

describe("a service", () => {
  const server = (text: string) => {
    const { service, problems } = compileTexts(
      `tcp: { services: { s: { loadBalancer: { servers: [{ ${text} }] } } } }`,
    );
    const row = service("s");
    return row?.kind === "loadBalancer" && row.servers[0] ? row.servers[0] : problems.join();
  };

  test.each([
    ["port: 1883", "127.0.0.1:1883", "127.0.0.1", 1883], // the sidecar case
    ["address: broker:1883", "broker:1883", "broker", 1883],
    ["address: broker, port: 1883", "broker:1883", "broker", 1883],
    ["address: broker:1884, port: 1883", "broker:1884", "broker", 1884],
    ['address: ":1883"', "127.0.0.1:1883", "127.0.0.1", 1883],
    ['address: "[::1]:1883"', "[::1]:1883", "::1", 1883],
    ["address: broker:mqtt", "broker:1883", "broker", 1883],
    ["port: secure-mqtt", "127.0.0.1:8883", "127.0.0.1", 8883],
  ])("reaches the server { %s } at %s", (text, address, host, port) => {
    expect(server(text)).toEqual({ address, host, port, tls: false });
  });

  test("leaves out a server that it cannot reach, and keeps the rest", () => {
    const { service, problems } = compileTexts(
      "tcp: { services: { s: { loadBalancer: { servers: [{ address: broker }, { port: 1 }, {}] } } } }",
    );
    expect(service("s")).toMatchObject({ servers: [{ address: "127.0.0.1:1" }] });
    expect(problems.filter((line) => line.includes("is left out")).length).toBe(2);
  });

  test("takes its transport: its own, the static file's, or Traefik's defaults", () => {
    const text = `
tcp:
  services:
    own: { loadBalancer: { serversTransport: t@file, terminationDelay: 5, servers: [{ port: 1 }] } }
    fallback: { loadBalancer: { servers: [{ port: 1 }] } }
    delayed: { loadBalancer: { terminationDelay: 5, servers: [{ port: 1 }] } }
  serversTransports: { t: { dialTimeout: 2s, dialKeepAlive: 0, terminationDelay: -1s, tls: { serverName: x } } }
`;
    const transport = (name: string, extra = "") => {
      const row = compileTexts(text, { static: `entryPoints: { m: { address: ':1' } }\n${extra}` }).service(name);
      return row?.kind === "loadBalancer" ? row.transport : null;
    };
    expect(transport("own")).toMatchObject({
      dialTimeoutMs: 2000,
      keepAliveMs: 15_000, // 0 is Go's default
      terminationDelayMs: -1000, // the service's own is ignored beside a transport
      tls: { serverName: "x" },
    });
    expect(transport("fallback")).toMatchObject({ dialTimeoutMs: 30_000, terminationDelayMs: 100 });
    expect(transport("delayed")).toMatchObject({ dialTimeoutMs: 30_000, terminationDelayMs: 5 });
    expect(transport("fallback", "tcpServersTransport: { dialTimeout: 7s }\n")).toMatchObject({ dialTimeoutMs: 7000 });
  });

  test("that contains itself is off, with whatever is made of it; the rest serve", () => {
    const { service, problems } = compileTexts(`
tcp:
  services:
    a: { weighted: { services: [{ name: b }, { name: fine }] } }
    b: { weighted: { services: [{ name: a@file }] } }
    self: { weighted: { services: [{ name: self }] } }
    outside: { weighted: { services: [{ name: a }, { name: fine }] } }
    fine: { loadBalancer: { servers: [{ port: 1 }] } }
`);
    expect(["a", "b", "self"].map(service)).toEqual([undefined, undefined, undefined]);
    expect(service("outside")).toMatchObject({ kind: "weighted" });
    expect(service("fine")).toMatchObject({ kind: "loadBalancer" });
    expect(problems.filter((line) => line.endsWith("contains itself")).length).toBe(3);
    expect(problems.filter((line) => line.includes('"outside" uses "a", which is off')).length).toBe(1);
  });

  test("that has thousands inside one another is off, and what is less deep serves", () => {
    // The recursion that would overflow the stack is tried without a text, in service-graph.test.ts.
    const count = sized(20_000, 500);
    const deep = Array.from(
      { length: count },
      (_, n) => `    s${n + 1}: { weighted: { services: [{ name: s${n} }] } }\n`,
    );
    // From the top, where a search begins, and in a circle, which no depth tells of.
    const { service, problems } = compileTexts(
      `tcp:\n  services:\n${deep.toReversed().join("")}    s0: { loadBalancer: { servers: [{ port: 1 }] } }\n`,
    );
    expect(service("s50")).toMatchObject({ kind: "weighted" });
    expect(service("s51")).toBeUndefined();
    expect(service(`s${count}`)).toBeUndefined();
    expect(problems.join("\n")).toContain("has more than 50 services inside one another");
    const round = compileTexts(
      `tcp:\n  services:\n${deep.join("")}    s0: { weighted: { services: [{ name: s${count} }] } }\n`,
    );
    expect([0, 1, count / 2, count].map((n) => round.service(`s${n}`))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(round.problems[0]).toEndWith("contains itself");
  });

  test("weights: 1 by default, 0 is kept as never", () => {
    const { service } = compileTexts(
      "tcp: { services: { w: { weighted: { services: [{ name: a }, { name: b, weight: 0 }] } }, a: { loadBalancer: {} }, b: { loadBalancer: {} } } }",
    );
    expect(service("w")).toEqual({
      kind: "weighted",
      services: [
        { name: "a@file", weight: 1 },
        { name: "b@file", weight: 0 },
      ],
    });
  });
});

const authority = await Authority.create();
const [one, two, wild, selfSigned] = (await Promise.all([
  authority.issue({ names: ["a.example", "b.example"], notAfter: "21200101000000Z" }),
  authority.issue({ names: ["b.example", "c.example"] }),
  authority.issue({ names: ["*.example"], notBefore: "20250101000000Z", notAfter: "20260201000000Z" }),
  authority.issue({ names: ["sluice.invalid"] }),
])) as [Pair, Pair, Pair, Pair];
const texts = { cert: readFileSync(selfSigned.cert, "utf8"), key: readFileSync(selfSigned.key, "utf8") };
const entry = (pair: Pair) => `{ certFile: ${pair.cert}, keyFile: ${pair.key} }`;

describe("certificates", () => {
  const namesServed = (list: string, more = "") =>
    compileTexts(`tls: { certificates: [${list}]${more} }`, { selfSigned: texts })
      .of("certificate")
      .map((row) => row.value.names.toSorted().join(" "));

  test("of two for one name the first keeps it", () => {
    expect(namesServed(`${entry(one)}, ${entry(two)}`)).toEqual(["a.example b.example", "c.example", ""]);
    expect(namesServed(`${entry(two)}, ${entry(one)}`)).toEqual(["b.example c.example", "a.example", ""]);
  });

  test("one that is given twice is one row", () => {
    expect(namesServed(`${entry(one)}, ${entry(one)}`)).toEqual(["a.example b.example", ""]);
  });

  test("the default one serves its own names too, but leaves them to a configured one", () => {
    const store = `, stores: { default: { defaultCertificate: ${entry(one)} } }`;
    expect(namesServed("", store)).toEqual(["a.example b.example"]);
    const { compiled, of } = compileTexts(`tls: { certificates: [${entry(two)}]${store} }`, { selfSigned: texts });
    const [configured, fallback] = of("certificate").map((row) => row.value);
    expect(configured!.names.toSorted()).toEqual(["b.example", "c.example"]);
    expect(fallback!.names).toEqual(["a.example"]);
    expect(compiled.rows.get("default/default")!.value).toEqual({ certificate: fallback!.hash });
  });

  test("without a default one the self-signed one is it, and serves no name by itself", () => {
    const { of } = compileTexts("", { selfSigned: texts });
    expect(of("certificate").map((row) => row.value.names)).toEqual([[]]);
    expect(of("default").map((row) => row.value.certificate)).toEqual([of("certificate")[0]!.value.hash]);
  });

  test("with its key in the same text, inline, is taken", () => {
    const both = `${readFileSync(one.cert, "utf8")}${readFileSync(one.key, "utf8")}`;
    const { of, problems } = compileTexts(`tls: { certificates: [{ certFile: ${JSON.stringify(both)} }] }`);
    expect(of("certificate")[0]!.value.names.toSorted()).toEqual(["a.example", "b.example"]);
    expect(problems.filter((line) => !/matches no router|no router uses|there is no router/.test(line))).toEqual([]);
  });

  const dates = (now: number) =>
    compileTexts(`tls: { certificates: [${entry(wild)}] }`, { now }).problems.filter((line) =>
      /expire|valid/.test(line),
    );
  test("dates are told in time", () => {
    expect(dates(Date.UTC(2025, 5, 1))).toEqual([]);
    expect(dates(NOW).join()).toMatch(/warning: the certificate CN=\*\.example in \S+ expires on 2026-02-01$/);
    expect(dates(Date.UTC(2026, 1, 2)).join()).toMatch(
      /warning: the certificate CN=\*\.example in \S+ expired on 2026-02-01$/,
    );
    expect(dates(Date.UTC(2024, 0, 1))[0]).toMatch(
      /the certificate CN=\*\.example in \S+ is not valid before 2025-01-01$/,
    );
  });

  const clock = (list: string, now: number) =>
    compileTexts(`tls: { certificates: [${list}] }`, { now }).problems.filter((line) => line.includes("the clock of"));
  test("a clock that is before all of them, or before Sluice itself, is doubted, once", async () => {
    const of = (notBefore: string) => authority.issue({ names: ["a.example"], notBefore, notAfter: "21200101000000Z" });
    const [later, last] = await Promise.all([of("20900101000000Z"), of("20910101000000Z")]);
    expect(clock(`${entry(last!)}, ${entry(later!)}`, NOW)).toEqual([
      "a.yml:1:25: warning: the clock of this machine says 2026-01-15 00:00 UTC, before every certificate begins to be valid (2090-01-01 00:00 UTC): is it set? (a device whose clock has no battery starts in 1970, until it has asked for the time with NTP)",
    ]);
    expect(clock(`${entry(later!)}, ${entry(one)}`, NOW)).toEqual([]); // one has begun: the other is for later
    expect(clock(`${entry(one)}`, 60_000).join()).toStartWith(
      "a.yml:1:25: warning: the clock of this machine says 1970-01-01 00:01 UTC, before Sluice was written: is it set?",
    );
    expect(clock("", 60_000).join()).toStartWith("clock: warning: the clock of this machine says 1970");
    expect(clock("", NOW)).toEqual([]);
  });

  const unused = (pair: Pair, rule: string, tls = "{}") =>
    compileTexts(
      `tcp: { routers: { r: { rule: '${rule}', service: s, tls: ${tls} } }, ${SERVICE} }\ntls: { certificates: [${entry(pair)}] }`,
    ).problems.filter((line) => line.includes("matches no router")).length;
  test.each([
    ["HostSNI(`a.example`)", 0],
    ["HostSNI(`x.example`) || HostSNI(`b.example`)", 0],
    ["HostSNI(`*.example`)", 0],
    ["HostSNI(`*`)", 0],
    ["ClientIP(`10.0.0.0/8`)", 0], // any name may come
    ["HostSNI(`c.example`)", 1],
    ["HostSNI(`*.b.example`)", 1],
  ])("one that no router can use is told of: %s", (rule, count) => expect(unused(one, rule)).toBe(count));
  test("a wildcard one is used by any name under it, and by none deeper", () => {
    expect(unused(wild, "HostSNI(`a.example`)")).toBe(0);
    expect(unused(wild, "HostSNI(`*.example`)")).toBe(0);
    expect(unused(wild, "HostSNI(`a.b.example`)")).toBe(1);
    expect(unused(wild, "HostSNI(`example`)")).toBe(1);
  });
  test("a router that passes TLS through uses none", () => {
    expect(unused(one, "HostSNI(`a.example`)", "{ passthrough: true }")).toBe(1);
  });
});

describe("warnings about what cannot work", () => {
  const passthrough = (services: string) =>
    compileTexts(
      `tcp: { routers: { r: { rule: 'HostSNI(\`a\`)', service: s, tls: { passthrough: true } } }, services: { ${services} } }`,
    ).problems;

  test("passthrough to 1883 names the fix, also behind a weighted service", () => {
    const fix = 'Drop "passthrough: true" to terminate TLS here';
    expect(passthrough("s: { loadBalancer: { servers: [{ port: 1883 }] } }").join()).toEndWith(fix);
    expect(
      passthrough("s: { loadBalancer: { servers: [{ address: broker:8883 }, { address: broker:mqtt }] } }").join(),
    ).toEndWith(fix);
    expect(
      passthrough(
        "s: { weighted: { services: [{ name: t }] } }, t: { loadBalancer: { servers: [{ port: 1883 }] } }",
      ).join(),
    ).toEndWith(fix);
    expect(passthrough("s: { loadBalancer: { servers: [{ port: 8883 }] } }")).toEqual([]);
  });

  const NO_DEFAULT =
    'a.yml:1:24: warning: the router "r" takes clients without SNI, and there is no default certificate: on :8883, :8884 they get a self-signed one that no client trusts (give one as tls.stores.default.defaultCertificate)';
  const bare = (tls: string, more = "", options: { acme?: AcmeInput } = {}) =>
    compileTexts(
      `tcp: { routers: { r: { rule: 'HostSNI(\`*\`)', service: s${tls} }, t: { rule: 'HostSNIRegexp(\`x\`)', service: s${tls} } }, ${SERVICE} }\n${more}`,
      options,
    ).problems.filter((line) => line.includes("self-signed"));
  test("a listener for any name on which clients would get the self-signed certificate, once", () => {
    expect(bare(", tls: {}")).toEqual([
      'a.yml:1:24: warning: the router "r" has no certificate: clients on :8883, :8884 get a self-signed one that no client trusts (add one under tls.certificates)',
    ]);
    expect(bare("")).toEqual([]); // plain
    expect(bare(", tls: { passthrough: true }")).toEqual([]);
    expect(bare(", tls: {}", `tls: { certificates: [${entry(two)}] }`)).toEqual([NO_DEFAULT]);
    expect(bare(", tls: {}", `tls: { stores: { default: { defaultCertificate: ${entry(two)} } } }`)).toEqual([]);
    // One that cannot be read refuses the load, and says so.
    expect(bare(", tls: {}", "tls: { certificates: [{ certFile: /nowhere, keyFile: /nowhere }] }")).toEqual([]);
    const resolvers = new Map([["le", { wildcards: false, tlsChallenge: true }]]);
    const ordered = ", tls: { certResolver: le, domains: [{ main: a.example.com }] }";
    expect(bare(ordered, "", { acme: { resolvers, stored: [] } })).toEqual([]);
  });

  test("a router that takes clients without SNI where no certificate is the default one, and no other router", () => {
    const warned = (rule: string, tls = "", more = "") =>
      compileTexts(
        `tcp: { routers: { r: { rule: '${rule}', service: s, tls: {${tls}} } }, ${SERVICE} }\ntls: { certificates: [${entry(one)}], options: { strict: { sniStrict: true } }${more} }`,
      ).problems.filter((line) => line.includes("no default certificate"));
    const takes = [
      "HostSNI(`*`)",
      "ClientIP(`10.0.0.0/8`)",
      "!HostSNI(`x.example`)",
      "HostSNIRegexp(`.*`)",
      "ALPN(`mqtt`)",
    ];
    for (const rule of [...takes, "HostSNI(`*`) && ALPN(`mqtt`)", "HostSNIRegexp(`^$`) || HostSNIRegexp(`.+`)"])
      expect({ rule, problems: warned(rule) }).toEqual({ rule, problems: [NO_DEFAULT] });
    for (const rule of [
      "HostSNIRegexp(`^.+\\.a$`)",
      "HostSNIRegexp(`.+`) && ClientIP(`10.0.0.0/8`)",
      "!HostSNIRegexp(`^$`)",
    ])
      expect({ rule, problems: warned(rule) }).toEqual({ rule, problems: [] });
    expect(warned("HostSNI(`*`)", " options: strict ")).toEqual([]);
    expect(warned("HostSNI(`*`)", " passthrough: true ")).toEqual([]);
    expect(warned("HostSNI(`*`)", "", `, stores: { default: { defaultCertificate: ${entry(two)} } }`)).toEqual([]);
  });

  test("a router that is off is not said to have no certificate, nor its certificate to be for nobody", () => {
    const { problems } = compileTexts(
      `tcp: { routers: { r: { rule: 'HostSNI(\`x.example\`)', service: gone, tls: {} }, t: { rule: 'HostSNI(\`a.example\`)', service: gone, tls: {} }, all: { rule: 'HostSNI(\`*\`)', service: gone, tls: {} } }, ${SERVICE} }\ntls: { certificates: [${entry(one)}] }`,
    );
    expect(problems).toHaveLength(3);
    for (const problem of problems) expect(problem).toContain('is off: the service "gone" does not exist');
    // Of two routers for a name the one that works is named.
    const both = compileTexts(
      `tcp: { routers: { a: { rule: 'HostSNI(\`x.example\`)', service: gone, tls: {} }, b: { rule: 'HostSNI(\`x.example\`)', service: s, tls: {} } }, ${SERVICE} }`,
    ).problems.filter((line) => line.includes("self-signed"));
    expect(both).toEqual([expect.stringContaining('the router "b" has no certificate for x.example')]);
  });

  test("an entry point that no router uses, where an authority does not come either", () => {
    const unused = (points: string, router: string, resolvers: AcmeInput["resolvers"] = new Map()) =>
      compileTexts(`tcp: { routers: { ${router} }, ${SERVICE} }`, {
        static: `entryPoints: { ${points} }\nping: {}\n`,
        acme: { resolvers, stored: [] },
      }).problems.filter((line) => line.includes("no router uses"));
    const two = "a: { address: ':8883' }, b: { address: ':443' }";
    const onA = "r: { rule: 'HostSNI(`*`)', service: s, entryPoints: [a] }";
    expect(unused(two, onA)).toEqual([
      's.yml:1:41: warning: no router uses the entry point "b": every connection to :443 is refused. Add a router for it, or remove it',
    ]);
    expect(unused(two, "r: { rule: 'HostSNI(`*`)', service: s }")).toEqual([]);
    expect(unused(two, onA.replace("service: s", "service: gone"))).toHaveLength(1); // off, and yet it answers
    expect(unused(two, "r: { rule: 'HostSNI(' }")).toEqual([]); // what it is for is not known
    expect(unused(two, "")).toHaveLength(2);
    const challenged = (tlsChallenge: boolean) => new Map([["le", { wildcards: false, tlsChallenge }]]);
    expect(unused(two, onA, challenged(true))).toEqual([]);
    expect(unused(two, onA, challenged(false))).toHaveLength(1);
    expect(unused(two, onA.replace("[a]", "[b]"), challenged(true))).toHaveLength(1); // 443 is there: none comes to 8883
    expect(unused(two.replace("443", "8443"), onA, challenged(true))).toEqual([]); // 443 may lead to either
  });

  test("a router whose names only the self-signed certificate would serve", () => {
    const uncovered = (rule: string) =>
      compileTexts(
        `tcp: { routers: { r: { rule: '${rule}', service: s, tls: {} } }, ${SERVICE} }\ntls: { certificates: [${entry(one)}] }`,
      ).problems.filter((line) => line.includes("self-signed"));
    expect(uncovered("HostSNI(`a.example`)")).toEqual([]);
    expect(uncovered("HostSNI(`*`)")).toEqual([NO_DEFAULT]);
    expect(uncovered("HostSNI(`a.example`) || HostSNI(`x.example`)").join()).toContain("no certificate for x.example");
  });
});

test("weighted services that share children cannot unfold without end", () => {
  const level = (n: number) =>
    `s${n}: { weighted: { services: [${Array.from({ length: 10 }, () => `{ name: s${n - 1} }`).join(", ")}] } }`;
  const services = ["s0: { loadBalancer: { servers: [{ port: 1 }] } }", ...[1, 2, 3, 4, 5, 6].map(level)];
  const { problems, compiled } = compileTexts(`tcp: { services: { ${services.join(", ")} } }`);
  expect(problems.filter((line) => line.includes("has more than 10000 servers"))).toHaveLength(2);
  expect(compiled.rows.has("service/s4@file")).toBe(true);
  expect(compiled.rows.has("service/s6@file")).toBe(false);
});

describe("the default certificate", () => {
  const text = (pair: Pair, main: string) => ({
    ...{ main, sans: [], certificate: readFileSync(pair.cert, "utf8"), key: readFileSync(pair.key, "utf8") },
  });
  const generated = "defaultGeneratedCert: { resolver: le, domain: { main: a.example.com } }";
  const resolvers = new Map([["le", { wildcards: false, tlsChallenge: true }]]);
  const catchAll =
    "r: { rule: 'HostSNI(`*`)', service: s, tls: { certResolver: le, domains: [{ main: b.example.com }] } }";

  /** The common name of the default one, and what is ordered. */
  async function choose(routersText: string, tls: string, obtained: readonly string[]) {
    const stored = await Promise.all(
      obtained.map(async (name) => text(await authority.issue({ names: [name], notAfter: "20991231235959Z" }), name)),
    );
    const acme = { resolvers, stored };
    const { compiled, of, problems } = compileTexts(
      `tcp: { routers: { ${routersText} }, ${SERVICE} }\ntls: { ${tls} }`,
      { acme },
    );
    const [row] = of("default");
    const shown = compiled.certificates.find(({ hash }) => hash === row?.value.certificate)?.commonName ?? null;
    return {
      shown,
      orders: compiled.orders.map(({ names }) => names.join()),
      problems: problems.filter((line) => !line.includes("no router")),
    };
  }

  test("is what a resolver has obtained for defaultGeneratedCert, and is ordered until then", async () => {
    const stores = `stores: { default: { ${generated} } }`;
    expect(await choose("", stores, [])).toEqual({ shown: null, orders: ["a.example.com"], problems: [] });
    expect(await choose("", stores, ["a.example.com"])).toMatchObject({ shown: "a.example.com" });
    expect(await choose(catchAll, stores, ["b.example.com", "a.example.com"])).toMatchObject({
      shown: "a.example.com",
    });
  });

  test("is what a catch-all router with resolver and domains has obtained", async () => {
    const none = { shown: null, orders: ["b.example.com"], problems: [] };
    expect(await choose(catchAll, "", [])).toEqual(none);
    expect(await choose(catchAll, "", ["b.example.com"])).toMatchObject({ shown: "b.example.com", problems: [] });
  });

  test("is the first of a directory before what a catch-all router has obtained, also beside an order that cannot be placed", async () => {
    const directory = temporaryDirectory();
    copyFileSync(one.cert, join(directory, "one.crt"));
    copyFileSync(one.key, join(directory, "one.key"));
    const directories = `certificateDirectories: [{ directory: ${directory}, default: true }]`;
    const stores = `stores: { default: { ${generated.replace("le,", "lee,")} } }`;
    for (const tls of [directories, `${directories}, ${stores}`])
      expect(await choose(catchAll, tls, ["b.example.com"])).toMatchObject({ shown: "a.example" });
  });

  test("is the one that is named, if there is one: nothing is obtained for it then", async () => {
    const stores = `stores: { default: { defaultCertificate: ${entry(one)}, ${generated} } }`;
    const { shown, orders, problems } = await choose("", stores, ["a.example.com"]);
    expect([shown, orders]).toEqual(["a.example", []]);
    expect(problems.join()).toContain("defaultCertificate is given too, which wins");
  });

  test("of a resolver that does not exist, or cannot prove the name, is an error", async () => {
    const of = async (resolver: string, main: string) =>
      (
        await choose(
          "",
          `stores: { default: { defaultGeneratedCert: { resolver: ${resolver}, domain: { main: "${main}" } } } }`,
          [],
        )
      ).problems;
    expect(await of("lee", "a.example.com")).toEqual([
      'a.yml:2:53: defaultGeneratedCert: the resolver "lee" does not exist (did you mean "le"?)',
    ]);
    expect((await of("le", "*.example.com")).join()).toContain("wildcards need dnsChallenge");
  });
});
