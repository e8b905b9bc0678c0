// `sluice explain` and the running proxy are of one mind: real clients end at the router, the certificate and the server that it names,
// or are refused for the reason that it gives.

import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../../src/cli/explain.ts";
import { readStatic } from "../../src/cli/static-file.ts";
import { readClient } from "../../src/explain/client.ts";
import type { Explanation } from "../../src/explain/explanation.ts";
import { Backend, greeting } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { sClient } from "../support/openssl.ts";
import { random } from "../support/random.ts";
import { RawClient } from "../support/raw.ts";
import { type Access, ROOT, Sluice } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
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
const [plainPort, bothPort] = [await freePort(), await freePort()];

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
const sluice = await Sluice.start({ workers: 1, entryPoint, dynamic });
const configFile = join(sluice.directory, "sluice.yml");

const { config, diagnostics } = readStatic({ configFile, flags: [] });
const explainer = (await prepare(config!, diagnostics))!;

interface Asked {
  readonly point: "mqtts" | "plain" | "both";
  readonly sni: string | null;
  readonly alpn: readonly string[];
  readonly from: string;
  readonly rsaOnly: boolean;
}

function explained({ point, sni, alpn, from }: Asked, plain = false): Explanation {
  const client = readClient({ ...(sni === null ? {} : { sni }), alpn, from, plain });
  if (typeof client === "string") throw new Error(client);
  const cases = explainer.explain(config!.entryPoints.get(point)!, client);
  expect(cases).toHaveLength(1);
  return cases[0]!;
}

let seen = 0;
async function nextAccess(): Promise<Access> {
  const line = await waitFor("the next access-log line", () => sluice.accesses[seen] ?? null);
  seen++;
  return line;
}

async function compare(asked: Asked): Promise<Explanation> {
  const expected = explained(asked);
  const { verdict, router, service, tls, certificates } = expected;
  const args = [
    ...["-bind", asked.from, "-cert", identity.cert, "-key", identity.key],
    ...(asked.alpn.length === 0 ? [] : ["-alpn", asked.alpn.join(",")]),
    ...(asked.rsaOnly ? ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"] : []),
  ];
  const port = { mqtts: sluice.port, plain: plainPort, both: bothPort }[asked.point];
  if (verdict.action === "plain" || verdict.action === "passthrough") {
    // A hello goes to the server as it is, which echoes it: no TLS comes about.
    await sClient(port, asked.sni, args).catch(() => null);
    const line = await nextAccess();
    expect(line).toMatchObject({ entryPoint: asked.point, router: router!.name, service: service!.name });
    expect(service!.order.shown).toContain(line.server!);
    return expected;
  }
  const client = await sClient(port, asked.sni, args);
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

test("every name, and clients made at random, end where explain says", async () => {
  const dice = random(7);
  const usual = { point: "mqtts", alpn: [], from: "127.0.0.1", rsaOnly: false } as const;
  const clients: Asked[] = [null, ...NAMES].map((sni) => ({ ...usual, sni }));
  clients.push({ ...usual, sni: "only.test", alpn: ["h2"] }, { ...usual, sni: "only.test", alpn: ["h2", "mqtt"] });
  clients.push({ ...usual, sni: "both.test", rsaOnly: true }, { ...usual, sni: null, from: "127.0.0.3" });
  for (let count = 0; count < 60; count++) {
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
  expect([...actions].sort()).toEqual([
    ...["handshake-failed", "no-certificate", "no-route", "no-server", "passthrough", "plain"],
    ...["router-off", "terminate", "unknown-sni"],
  ]);
}, 120_000);

test("clients without TLS end where explain says", async () => {
  const connect = Buffer.from("101000044d5154540402003c000461626364", "hex");
  for (const [point, port] of [
    ["mqtts", sluice.port],
    ["plain", plainPort],
    ["both", bothPort],
  ] as const) {
    const { verdict, router } = explained({ point, sni: null, alpn: [], from: "127.0.0.1", rsaOnly: false }, true);
    const client = await RawClient.open(port);
    client.socket.write(connect);
    if (verdict.served) await client.until(greeting("c"));
    client.socket.end();
    const line = await nextAccess();
    expect(line.router).toBe(router?.name as string);
    if (!verdict.served) expect(line.reason).toBe(verdict.reason! as string);
  }
});

test("a client from nobody knows where gets an answer for each place that makes a difference", async () => {
  const from = (sni: string) => {
    const client = readClient({ sni });
    if (typeof client === "string") throw new Error(client);
    return explainer
      .explain(config!.entryPoints.get("mqtts")!, client)
      .map(({ client: { from }, router }) => [from, router?.name ?? null]);
  };
  expect(from("exact.test")).toEqual([[["anywhere"], "exact@file"]]);
  expect(from("ip.test")).toEqual([
    [["anywhere else"], "outside@file"],
    [["127.0.0.2/32"], "inside@file"],
  ]);
  expect(from("strict-ip.test")).toEqual([
    [["anywhere else"], null],
    [["127.0.0.2/32"], "restricted@file"],
    [["127.0.0.3/32"], "local@file"],
  ]);
});

const run = (...args: string[]) =>
  sluiceCli(["explain", `--configFile=${configFile}`, ...args], { cwd: sluice.directory });

describe("the command", () => {
  test("says the verdict first, then why each other router is not the one", async () => {
    const args = ["--sni=ip.test", "--from=127.0.0.9", "--entryPoint=mqtts"];
    const { code, stdout, stderr } = await run(...args);
    // So does the program in a process of its own.
    expect(await exec([sluice.binary, "explain", `--configFile=${configFile}`, ...args])).toEqual({
      code,
      stdout,
      stderr,
    });
    expect(stderr).toContain(`the router "broken" is off`);
    expect(stdout.split("\n")[0]).toBe(
      'ip.test from 127.0.0.9 on mqtts: router "outside@file" terminates TLS, service "a@file"',
    );
    expect(stdout).toContain("inside@file, ");
    expect(stdout).toContain("ClientIP(`127.0.0.2`): 127.0.0.9 is not in it");
    expect(stdout).toContain("it has a wildcard for this name");
    expect(code).toBe(1); // the configuration has an error
  });

  test("says why a router is off, and what the client sees", async () => {
    const { stdout } = await run("--sni=off.test", "--entryPoint=mqtts");
    expect(stdout).toContain('off.test from anywhere on mqtts: refused by router "broken@file": router-off');
    expect(stdout).toContain("unrecognized_name");
    expect(stdout).toContain('the service "missing" does not exist');
  });

  test("says which name was meant", async () => {
    expect((await run("--sni=exatc.test", "--from=192.0.2.1")).stdout).toContain("did you mean exact.test?");
  });

  test("says which client gets which certificate, where there are several", async () => {
    const { stdout } = await run("--sni=both.test", "--entryPoint=mqtts", "--json");
    const [{ certificates: choices }] = JSON.parse(stdout).explanations as [Explanation];
    expect(choices.map(({ commonName, clients }) => [commonName, clients.includes("RSA only")])).toEqual([
      ["ecdsa", false],
      ["rsa", true],
    ]);
  });

  const wrong: [args: string[], line: string][] = [
    [["--sni=*.test"], '--sni: "*.test" is a pattern: a client asks for one name'],
    [["--sni=münchen.example"], "--sni xn--mnchen-3ya.example"],
    [["--sni=mqtts://a.test"], "give the host name alone"],
    [["--sni=a b"], "is no host name"],
    [[`--sni=${"a".repeat(256)}`], "the name has 256 characters, and one has at most 255"],
    [["--sni="], "the name is empty"],
    [["--plain", "--sni=a"], "a client without TLS sends neither SNI nor ALPN"],
    [["--from=10.0.0.0/8"], '"10.0.0.0/8" is no IP address'],
    [["--from=010.0.0.1"], '"010.0.0.1" is no IP address'],
    [["--alpn=mqtt,,h2"], '"" is no protocol'],
    [["--entryPoint=mqtt"], '"mqtt" does not exist (did you mean "mqtts"?): there are mqtts, plain, both'],
    [["--entryPoint=traefik"], '"traefik" serves HTTP, and no routers'],
  ];
  test.each(wrong)("%p is refused", async (args, line) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(line);
  });
});

test("the page on operations shows what is printed", async () => {
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const section = /\n## Explain a connection\n([\s\S]*?)\n## /.exec(page)![1]!;
  const yaml = /```yaml\n([\s\S]*?)```/.exec(section)![1]!;
  const shown = [...section.matchAll(/```sh\nbin\/sluice (.*)\n```\n\n```text\n([\s\S]*?)```/g)];
  expect(shown).toHaveLength(3);
  const cwd = temporaryDirectory();
  for (const directory of ["config", "dynamic", "certs"]) mkdirSync(join(cwd, directory));
  const pair = await authority.issue({ names: ["mqtt.example.com"], notAfter: "21200101000000Z" });
  copyFileSync(pair.cert, join(cwd, "certs/mqtt.crt"));
  copyFileSync(pair.key, join(cwd, "certs/mqtt.key"));
  copyFileSync(authority.cert, join(cwd, "certs/devices-ca.crt"));
  writeFileSync(join(cwd, "dynamic/mqtt.yml"), yaml);
  const points = 'entryPoints: { mqtts: { address: ":8883" } }\n';
  writeFileSync(join(cwd, "config/sluice.yml"), `${points}providers: { file: { directory: dynamic } }\n`);
  const own = (text: string) => text.replace(/(issued by +).*/, "$1...").replace(/(expires +).*/, "$1...");
  for (const [, command, text] of shown) {
    const { stdout, stderr } = await sluiceCli(command!.split(" "), { cwd });
    expect({ stdout: own(stdout), stderr }).toEqual({ stdout: own(text!), stderr: "" });
  }
});
