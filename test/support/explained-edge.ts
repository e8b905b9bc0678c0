// A Sluice with routers of every kind, and `sluice explain` beside it: what each says of a client is compared.

import { expect } from "bun:test";
import { join } from "node:path";
import { prepare } from "../../src/cli/explain.ts";
import { readStatic } from "../../src/cli/static-file.ts";
import { readClient } from "../../src/explain/client.ts";
import type { Explanation } from "../../src/explain/explanation.ts";
import type { MqttFacts } from "../../src/rules/ast.ts";
import { Backend } from "./backend.ts";
import { Authority } from "./certs.ts";
import { anyConnect } from "./connect-packet.ts";
import { opening } from "./first-packet.ts";
import { sClient } from "./openssl.ts";
import { random } from "./random.ts";
import { type Access, Sluice } from "./sluice.ts";
import { tlsHandshake } from "./tls-client.ts";
import { freePort, waitFor } from "./tools.ts";

export const authority = await Authority.create();
const certificates = await Promise.all([
  authority.issue({ names: ["*.test"], subject: "/CN=wildcard" }),
  authority.issue({ names: ["exact.test"], subject: "/CN=exact" }),
  authority.issue({ names: ["both.test"], subject: "/CN=ecdsa" }),
  authority.issue({ names: ["both.test"], subject: "/CN=rsa", keyType: "rsa" }),
  authority.issue({ names: ["127.0.0.1"], subject: "/CN=address" }),
]);
const fallback = await authority.issue({ names: ["fallback.example"], subject: "/CN=fallback" });
const identity = await authority.issue({ names: ["device-7"], usage: "clientAuth" });
const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => Backend.start(name)));
export const [plainPort, bothPort] = [await freePort(), await freePort()];

const server = (backend: Backend | undefined) => `{ port: ${backend!.port} }`;
const router = (name: string, rule: string, service: string, tls = "{}", more = "") =>
  `    ${name}: { rule: '${rule}', service: ${service}, tls: ${tls}, entryPoints: [mqtts]${more} }`;

const dynamic = `
tcp:
  routers:
${[
  router("exact", "HostSNI(`exact.test`)", "a"),
  router("wildcard", "HostSNI(`*.wild.test`)", "b"),
  router("regexp", "HostSNIRegexp(`^sensor-[0-9]+\\.test$`)", "weighted"),
  router("first", "HostSNI(`rank.test`)", "a", "{}", ", priority: 200"),
  router("second", "HostSNI(`rank.test`) && ClientIP(`127.0.0.0/8`)", "b"),
  router("inside", "HostSNI(`ip.test`) && ClientIP(`127.0.0.2`)", "b"),
  router("outside", "HostSNI(`ip.test`)", "a"),
  router("restricted", "HostSNI(`strict-ip.test`) && ClientIP(`127.0.0.2`)", "b"),
  router("mqtt", "HostSNI(`alpn.test`) && ALPN(`mqtt`)", "b"),
  router("no-mqtt", "HostSNI(`alpn.test`)", "c"),
  router("either", "(HostSNI(`one.test`) || HostSNI(`two.test`)) && !ALPN(`h2`)", "c"),
  router("broken", "HostSNI(`off.test`)", "missing"),
  router("through", "HostSNI(`through.test`)", "a", "{ passthrough: true }"),
  router("both", "HostSNI(`both.test`)", "a"),
  router("devices", "HostSNI(`devices.test`)", "a", "{ options: mutual }"),
  router("strict", "HostSNI(`strict.example`)", "a", "{ options: strict }"),
  router("only-mqtt", "HostSNI(`only.test`)", "a", "{ options: only }"),
  router("no-server", "HostSNI(`empty.test`)", "empty"),
  router("local", "ClientIP(`127.0.0.3`)", "c", "{}", ", priority: -5"),
  router("uncovered", "HostSNI(`uncovered.example`)", "b"),
  router("sensors", "HostSNI(`mqtt.test`) && MQTTClientIDRegexp(`^sensor-[0-9]+$`)", "b", "{}", ", priority: 90"),
  router("anna", "HostSNI(`mqtt.test`) && MQTTVersion(`5`) && MQTTUsername(`anna`)", "c", "{}", ", priority: 80"),
  router("old", "HostSNI(`mqtt.test`) && MQTTVersion(`3.1`)", "empty", "{}", ", priority: 70"),
  router("others", "HostSNI(`mqtt.test`) && !MQTTClientID(`nobody`)", "a", "{}", ", priority: 60"),
  router("gone", "HostSNI(`gone.test`) && MQTTClientIDRegexp(`^sensor-`)", "missing", "{}", ", priority: 90"),
  router("not-gone", "HostSNI(`gone.test`)", "a"),
  router("named", "HostSNI(`named.test`) && MQTTUsernameRegexp(`.+`)", "a", "{}", ", priority: 90"),
  router("nameless", "HostSNI(`named.test`) || HostSNI(`nameless.test`)", "b", "{ options: only }"),
].join("\n")}
    plain: { rule: "HostSNI(\`*\`)", service: c, entryPoints: [plain, both] }
    plain-near: { rule: "ClientIP(\`127.0.0.2\`)", service: b, entryPoints: [plain] }
    tls-beside: { rule: "HostSNI(\`*\`)", service: a, tls: {}, entryPoints: [both] }
  services:
    a: { loadBalancer: { servers: [${server(a)}] } }
    b: { loadBalancer: { servers: [${server(b)}] } }
    c: { loadBalancer: { servers: [${server(c)}, ${server(c)}] } }
    weighted: { weighted: { services: [{ name: a, weight: 3 }, { name: b, weight: 1 }] } }
    empty: { loadBalancer: { servers: [] } }
tls:
  certificates:
${certificates.map(({ cert, key }) => `    - { certFile: ${cert}, keyFile: ${key} }`).join("\n")}
  stores: { default: { defaultCertificate: { certFile: ${fallback.cert}, keyFile: ${fallback.key} } } }
  options:
    mutual: { clientAuth: { caFiles: [${authority.cert}], clientAuthType: RequireAndVerifyClientCert } }
    strict: { sniStrict: true }
    only: { alpnProtocols: [mqtt, x-amzn-mqtt-ca] }
`;
const entryPoint = `  plain: { address: "127.0.0.1:${plainPort}" }\n  both: { address: "127.0.0.1:${bothPort}" }`;
export const sluice = await Sluice.start({ workers: 1, entryPoint, dynamic });
export const configFile = join(sluice.directory, "sluice.yml");

const { config: read, diagnostics } = readStatic({ configFile, flags: [] });
export const config = read!;
export const explainer = (await prepare(config, diagnostics))!;

interface Asked {
  readonly point: "mqtts" | "plain" | "both";
  readonly sni: string | null;
  readonly alpn: readonly string[];
  readonly from: string;
  readonly rsaOnly: boolean;
}

export function explained({ point, sni, alpn, from }: Asked, plain = false): Explanation {
  const client = readClient({ ...(sni === null ? {} : { sni }), alpn, from, plain });
  if (typeof client === "string") throw new Error(client);
  const cases = explainer.explain(config.entryPoints.get(point)!, client);
  expect(cases).toHaveLength(1);
  return cases[0]!;
}

let seen = 0;
export async function nextAccess(): Promise<Access> {
  const line = await waitFor("the next access-log line", () => sluice.accesses[seen] ?? null);
  seen++;
  return line;
}

export async function compare(asked: Asked): Promise<Explanation> {
  const expected = explained(asked);
  const { verdict, router, service, tls, certificates } = expected;
  const args = [
    ...["-bind", asked.from, "-cert", identity.cert, "-key", identity.key],
    ...(asked.alpn.length === 0 ? [] : ["-alpn", asked.alpn.join(",")]),
    ...(asked.rsaOnly ? ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"] : []),
  ];
  const connect = asked.rsaOnly ? sClient : tlsHandshake;
  const port = { mqtts: sluice.port, plain: plainPort, both: bothPort }[asked.point];
  if (verdict.action === "plain" || verdict.action === "passthrough") {
    // A hello goes to the server as it is, which echoes it: no TLS comes about.
    await connect(port, asked.sni, args).catch(() => null);
    const line = await nextAccess();
    expect(line).toMatchObject({ entryPoint: asked.point, router: router!.name, service: service!.name });
    expect(service!.order.shown).toContain(line.server!);
    return expected;
  }
  const client = await connect(port, asked.sni, args);
  const line = await nextAccess();
  expect(line.router).toBe(router?.name as string);
  if (!verdict.served) {
    expect({ reached: client.reached, reason: line.reason }).toEqual({
      reached: null,
      reason: verdict.reason! as string,
    });
    if (verdict.sees!.includes("(112)")) expect(client).toMatchObject({ alert: 112, certificate: null });
    if (verdict.sees!.includes("(120)")) expect(client.alert).toBe(120);
    return expected;
  }
  expect(service!.order.shown).toContain(line.server!);
  expect(line.service).toBe(service!.name);
  expect(client.reached).not.toBeNull();
  expect(client.alpn).toBe(tls!.alpn.answer);
  const shown = certificates.find(
    ({ clients }) => clients === "all" || clients.includes(asked.rsaOnly ? "RSA only" : "every kind"),
  );
  expect(client.certificate).toBe(shown!.commonName);
  return expected;
}

/** One whose CONNECT says this, with the usual TLS. */
export async function compareConnect(sni: string, connect: MqttFacts): Promise<Explanation> {
  const { clientId, username, version } = connect;
  const client = readClient({ sni, from: "127.0.0.1", clientId, username: username ?? false, mqttVersion: version });
  if (typeof client === "string") throw new Error(client);
  const [expected, ...more] = explainer.explain(config.entryPoints.get("mqtts")!, client);
  expect(more).toEqual([]);
  const { verdict, router, service, provisional } = { ...expected!, provisional: expected!.connect?.provisional };
  const level = { "3.1": 3, "3.1.1": 4, "5": 5 }[version];
  const { socket, closed, until } = await opening(
    sluice.port,
    sni,
    anyConnect(clientId, { level, ...(username === null ? {} : { username }) }),
  );
  const told = verdict.served ? await until(Buffer.from("hello from").toString("hex")) : await closed();
  socket.destroy();
  const line = await nextAccess();
  expect(line.router).toBe(router?.name as string);
  if (verdict.served) expect(service!.order.shown).toContain(line.server!);
  else expect({ reason: line.reason }).toEqual({ reason: verdict.reason! as string });
  // What a refused client sees is a CONNACK with a code that is none of success.
  if (provisional !== undefined && !verdict.served)
    expect(told).toMatch(version === "5" ? /^2003..(8|9)/ : /^2002000[1-5]/);
  return expected!;
}

const NAMES = [
  ...[
    "exact.test",
    "EXACT.test",
    "x.wild.test",
    "x.y.wild.test",
    "sensor-17.test",
    "rank.test",
    "ip.test",
    "alpn.test",
  ],
  ...["strict-ip.test", "one.test", "two.test", "off.test", "through.test", "both.test", "devices.test", "only.test"],
  ...["strict.example", "empty.test", "nobody.test", "uncovered.example"],
];

/** Every name as the usual client asks for it, some with a twist, and `count` clients made at random. Throws at one that ends elsewhere. */
export async function compareMany(seed: number, count: number): Promise<Set<string>> {
  const dice = random(seed);
  const usual = { point: "mqtts", alpn: [], from: "127.0.0.1", rsaOnly: false } as const;
  const clients: Asked[] = [null, ...NAMES].map((sni) => ({ ...usual, sni }));
  clients.push({ ...usual, sni: "only.test", alpn: ["h2"] }, { ...usual, sni: "only.test", alpn: ["h2", "mqtt"] });
  clients.push({ ...usual, sni: "both.test", rsaOnly: true }, { ...usual, sni: null, from: "127.0.0.3" });
  for (let made = 0; made < count; made++) {
    const sni = dice.chance(0.1) ? null : dice.pick([...NAMES, "both.test", "both.test"]);
    clients.push({
      point: dice.pick(["mqtts", "mqtts", "mqtts", "plain", "both"]),
      sni,
      alpn: dice.pick([[], ["mqtt"], ["h2"], ["h2", "mqtt"]]),
      from: dice.pick(["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
      // Where there is no RSA certificate it could not go on.
      rsaOnly: sni === "both.test" && dice.chance(0.5),
    });
  }
  const actions = new Set<string>();
  for (const client of clients) {
    try {
      const { verdict } = await compare(client);
      actions.add(verdict.reason ?? verdict.action);
    } catch (error) {
      throw new Error(`${JSON.stringify(client)}: ${(error as Error).message}`);
    }
  }
  return actions;
}
