// The static file: Traefik's names and defaults, and what an entry point becomes.

import { describe, expect, test } from "bun:test";
import { Diagnostics, describeDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseStatic, type StaticConfig } from "../../../src/config/static.ts";

function read(text: string): { config: StaticConfig | null; problems: string[] } {
  const diagnostics = new Diagnostics();
  const config = parseStatic("s.yml", text, diagnostics);
  // null is absent, with a warning: dynamic.test.ts.
  const list = diagnostics.list.filter(({ code }) => code !== "section-empty");
  return { config, problems: list.map(describeDiagnostic) };
}

function parse(text: string): StaticConfig {
  const { config, problems } = read(text);
  expect(problems).toEqual([]);
  return config!;
}

const ONE = "entryPoints: { mqtts: { address: ':8883' } }\n";

test("the defaults", () => {
  const config = parse(ONE);
  expect([...config.entryPoints.values()]).toEqual([
    {
      name: "mqtts",
      address: ":8883",
      host: "",
      port: 8883,
      asDefault: false,
      readTimeoutMs: 10_000,
      connectTimeoutMs: 60_000,
      ban: null,
      requestAcceptGraceTimeoutMs: 0,
      graceTimeoutMs: 10_000,
      spread: false,
      keepAliveMs: 120_000,
      backlog: 4096,
      workerSelection: "connection",
      proxyProtocol: null,
      admission: {
        ...{ maxConnections: null, connections: null, rate: null, silent: null },
        handshakes: {
          ...{ concurrent: null, rate: null, concurrentOfAddress: null },
          rateOfAddress: { perSecond: 200, burst: 1000 },
        },
        ...{ ipv4Prefix: 32, ipv6Prefix: 64, maxWaitMs: 5000, trustedIPs: ["127.0.0.0/8", "::1/128"] },
      },
      admin: false,
    },
  ]);
  expect(config).toMatchObject({
    workers: "auto",
    providers: { providersThrottleDuration: 200 },
    log: { level: "info" },
    limits: { heldBytesPerConnection: 1024 * 1024, heldBytesPerWorker: 256 * 1024 * 1024 },
  });
  for (const absent of [
    "ping",
    "accessLog",
    "embeddedBroker",
    "developmentCertificate",
    "tcpServersTransport",
  ] as const)
    expect(config[absent]).toBeUndefined();
  expect(config.metrics.prometheus).toBeUndefined();
});

test("every field is taken, whatever the case of its key", () => {
  const config = parse(`
ENTRYPOINTS:
  Secure:
    Address: "[::1]:https/tcp"
    asdefault: TRUE
    transport: { respondingTimeouts: { READTIMEOUT: 5 }, lifecycle: { graceTimeout: 1m30s } }
Providers: { File: { FileName: a.yml, Watch: "0" }, providersthrottleduration: 2s }
workers: 3
limits: { maxConnections: 10 }
log: { LEVEL: DEBUG, format: JSON }
embeddedBroker: true
developmentCertificate: { names: "a.example, b.example" }
tcpServersTransport: { dialTimeout: 1s }
`);
  expect(config.entryPoints.get("Secure")).toMatchObject({
    host: "::1",
    port: 443,
    asDefault: true,
    readTimeoutMs: 5000,
    connectTimeoutMs: 60_000,
    graceTimeoutMs: 90_000,
  });
  expect(config).toMatchObject({
    providers: { file: { filename: "a.yml", watch: false }, providersThrottleDuration: 2000 },
    workers: 3,
    limits: { maxConnections: 10 },
    log: { level: "debug", format: "json" },
    embeddedBroker: { address: "127.0.0.1:1883" },
    developmentCertificate: { directory: "data", names: ["a.example", "b.example"] },
    tcpServersTransport: { dialTimeout: 1000, dialKeepAlive: 15_000 },
  });
});

describe("metrics and ping", () => {
  const adminOf = (text: string) =>
    [...parse(ONE + text).entryPoints.values()]
      .filter((point) => point.admin)
      .map(({ name, host, port }) => `${name} ${host}:${port}`);

  test.each([
    ["", []],
    ["ping:\n", []], // null is absent
    ["ping: {}\n", ["traefik 127.0.0.1:8080"]],
    ["ping: true\nmetrics: { prometheus: true }\n", ["traefik 127.0.0.1:8080"]],
    ["ping: false\n", []],
    ["metrics: { prometheus: {} }\n", ["traefik 127.0.0.1:8080"]],
  ])("%j", (text, points) => expect(adminOf(text)).toEqual(points));

  test("are served where the entry point called traefik is defined, and it then serves no MQTT", () => {
    const { entryPoints } = parse("entryPoints: { m: { address: ':1' }, traefik: { address: ':9000' } }\nping: {}\n");
    expect(entryPoints.get("traefik")).toMatchObject({ port: 9000, admin: true });
    expect(entryPoints.get("m")).toMatchObject({ keepAliveMs: 120_000, admin: false });
  });

  test("an entry point called traefik that serves neither is one for MQTT", () => {
    expect(parse("entryPoints: { traefik: { address: ':8883' } }\n").entryPoints.get("traefik")!.admin).toBe(false);
  });
});

describe("two listeners on one port", () => {
  const clash = (...addresses: string[]) =>
    read(`entryPoints: { ${addresses.map((each, i) => `e${i}: { address: "${each}" }`).join(", ")} }\n`).problems
      .length > 0;

  test.each([
    [":8883", ":8883"],
    [":8883", "0.0.0.0:8883"],
    ["[::]:8883", ":8883"],
    ["127.0.0.1:8883", ":8883"],
    [":8883", "[::1]:8883"],
    ["127.0.0.1:mqtts", "127.0.0.1:8883/tcp"],
  ])("%s and %s are an error", (one, two) => expect(clash(one, two)).toBe(true));

  test.each([
    [":8883", ":8884"],
    ["127.0.0.1:8883", "127.0.0.2:8883"],
    ["127.0.0.1:8883", "[::1]:8883"],
    [":0", ":0"],
  ])("%s and %s are not", (one, two) => expect(clash(one, two)).toBe(false));
});

test("an error anywhere gives no configuration, a warning gives one", () => {
  expect(read(`${ONE}workers: none\n`).config).toBeNull();
  const warned = read(`${ONE}tracing: {}\n`);
  expect(warned.problems).toEqual(["s.yml:2:1: warning: tracing is not built into Sluice yet and is ignored"]);
  expect(warned.config).not.toBeNull();
});

test("dnsChallenge.provider leads to exec, whatever else is wrong or missing beside it", () => {
  const sentence =
    "certificatesResolvers.le.acme.dnsChallenge.provider is not built into Sluice: give the command that changes your DNS as exec";
  const challenges = [
    "{ provider: cloudflare }",
    "{ provider: cloudflare, resolvers: [1.1.1.1], delayBeforeCheck: soon }",
    "{ provider: cloudflare, exec: /bin/hook }",
    "{ provider: cloudflare, propagation: { delayBeforeChecks: soon } }",
    "{ provider: cloudflare, nonsense: 1 }",
  ];
  const rest = [
    "",
    "    keyType: nonsense\n",
    "    caServer: http://x\n",
    "    tlsChallenge: [1]\n",
    "    unknown: 1\n",
  ];
  for (const challenge of challenges)
    for (const more of rest) {
      const text = `entryPoints: { mqtts: { address: ":8883" } }\ncertificatesResolvers:\n  le:\n   acme:\n${more}    dnsChallenge: ${challenge}\n`;
      const diagnostics = new Diagnostics();
      expect(parseStatic("f.yml", text, diagnostics)).toBeNull();
      const messages = diagnostics.list.map(({ message }) => message);
      expect({ text, messages }).toEqual({ text, messages: expect.arrayContaining([sentence]) });
      expect(messages.join()).not.toContain("exec is missing");
    }
});

test("neither a huge value nor a huge name fills the message", () => {
  const huge = "x".repeat(1_000_000);
  for (const text of [
    huge,
    `${huge}: 1`,
    `log: ${huge}`,
    `workers: ${huge}`,
    `entryPoints: { m: { address: "${huge}" } }`,
  ]) {
    const diagnostics = new Diagnostics();
    parseStatic("f.yml", text, diagnostics);
    expect(diagnostics.errors).toBeGreaterThan(0);
    for (const { message } of diagnostics.list) expect(message.length).toBeLessThan(2100);
  }
});
