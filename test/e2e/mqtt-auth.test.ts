// Who has no user of the password file reaches no broker, with the clients that people use, and through every change of the file.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { tcpServer } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { type Endpoint, mosquittoPub, mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

/** `tea & sugar`, as mosquitto_passwd of Mosquitto 2.1.2 wrote it. */
const NEW_FORM =
  "$7$1000$rfh9HHFnwpN8hSGPHJoJXvU9ml3O73VJRZ2ZFtM/XrW+9aB98wEwqSnFRwcx3UC5wgtrMeEAiMdYFjapsltG6Q==$P+AqIpLwEZuWurJU0Kk/orqYvkXFu/V7Fu2V0kiXZsoSSW5oOY/3ipFqgM8rRhBua807MzC9y3U2FInS/MgaLw==";
/** The same by argon2(1), with the parameters of Mosquitto 2.1. */
const ARGON2ID =
  "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$2uGZ3QYi9FRAjD4SNql+8KK1q5nuNChcr+Bbr+5/KdGVbgtASQsbC+m7eJDDuHrJezIuKPdudoz7o1AqpmrwbA";

const directory = temporaryDirectory();
const passwords = join(directory, "passwords");

async function mosquittoPasswd(...args: string[]): Promise<void> {
  const { code, stderr } = await exec(["mosquitto_passwd", ...args]);
  if (code !== 0) throw new Error(stderr);
}

/** In one step, so that no half of it is ever read. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

let authority: Authority;
let server: Pair;
let device: Pair;
let broker: Mosquitto;
/** A server that keeps what it gets, and accepts every CONNECT. */
let seen: { port: number; packets: Buffer[] };
let sluice: Sluice;
/** By the router that its server name leads to. */
const at = (name: string, identity?: Pair) => ({ endpoint: { port: sluice.port, ca: authority.cert, identity }, name });

beforeAll(async () => {
  authority = await Authority.create();
  server = await authority.issue({
    names: [
      "localhost",
      "strict.test",
      "strip.test",
      "certificate.test",
      "open.test",
      "named.test",
      "first.test",
      "last.test",
    ],
  });
  device = await authority.issue({ subject: "/CN=device-1", usage: "clientAuth" });
  broker = await Mosquitto.start();
  const packets: Buffer[] = [];
  const { port } = await tcpServer((socket) => {
    socket.once("data", (chunk: Buffer) => {
      packets.push(chunk);
      socket.write(Buffer.from([0x20, 2, 0, 0]));
    });
  });
  seen = { port, packets };
  await mosquittoPasswd("-c", "-b", passwords, "anna", "tea & sugar");
  await mosquittoPasswd("-b", "-H", "sha512", passwords, "old", "tea & sugar");
  writeFileSync(
    passwords,
    `# our users\n${readFileSync(passwords, "utf8")}new:${NEW_FORM}\nmodern:${ARGON2ID}\nplain:tea & sugar\nslow:${NEW_FORM.replace("$1000$", "$100000000$")}\n`,
  );
  sluice = await Sluice.start({
    dynamic: `
tcp:
  middlewares:
    auth: { mqttAuth: { passwordFile: ${passwords} } }
    strict: { mqttAuth: { passwordFile: ${passwords}, strictCodes: true } }
    strip: { mqttAuth: { passwordFile: ${passwords}, stripPassword: true } }
    certificate: { mqttAuth: { passwordFile: ${passwords}, certificateIsEnough: true } }
    open: { mqttAuth: { passwordFile: ${passwords}, allowAnonymous: true } }
    named: { mqttIdentity: { username: "edge-{mqtt.username}", password: given } }
  routers:
    auth: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {}, middlewares: [auth] }
    strict: { rule: "HostSNI(\`strict.test\`)", service: broker, tls: {}, middlewares: [strict] }
    strip: { rule: "HostSNI(\`strip.test\`)", service: seen, tls: {}, middlewares: [strip] }
    certificate: { rule: "HostSNI(\`certificate.test\`)", service: broker, tls: { options: optional }, middlewares: [certificate] }
    open: { rule: "HostSNI(\`open.test\`)", service: broker, tls: {}, middlewares: [open] }
    named: { rule: "HostSNI(\`named.test\`)", service: seen, tls: {}, middlewares: [named, auth] }
    first: { rule: "HostSNI(\`first.test\`)", service: seen, tls: {}, middlewares: [strip, named] }
    last: { rule: "HostSNI(\`last.test\`)", service: seen, tls: {}, middlewares: [named, strip] }
    plain: { rule: "HostSNI(\`*\`)", service: seen, middlewares: [auth] }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    seen: { loadBalancer: { servers: [{ port: ${port} }] } }
tls:
  options: { optional: { clientAuth: { caFiles: [${authority.cert}], clientAuthType: VerifyClientCertIfGiven } } }
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]`,
  });
});

afterAll(() => sluice.kill());

/** What MQTT.js says of the attempt: `in`, or the code of the CONNACK. */
async function attempt(
  { endpoint, name }: { endpoint: Endpoint; name: string },
  username: string | undefined,
  password: string | undefined,
  version: 3 | 4 | 5 = 4,
): Promise<string | number> {
  const client = await mqttClient(endpoint, {
    servername: name,
    protocolVersion: version,
    ...(version === 3 ? { protocolId: "MQIsdp" as const } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }).catch((error: Error & { code?: number }) => error);
  if (client instanceof Error) return (client as { code?: number }).code ?? client.message;
  client.mqtt.end(true);
  return "in";
}

describe("users", () => {
  test.each(["anna", "old", "new", "modern"])(
    "%s comes in with the right password, in every version, and with no other one",
    async (name) => {
      for (const version of [3, 4, 5] as const)
        expect(await attempt(at("localhost"), name, "tea & sugar", version)).toBe("in");
      expect(await attempt(at("localhost"), name, "coffee")).toBe(5);
      expect(await attempt(at("localhost"), name, "coffee", 5)).toBe(0x87);
      expect(await attempt(at("localhost"), name, "")).toBe(5);
      expect(await attempt(at("localhost"), name, "tea & sugar\0tail")).toBe(5);
      expect(await attempt(at("localhost"), name, undefined)).toBe(5);
    },
  );

  test.each(["plain", "slow", "nobody", "Anna", ""])("%p does not come in", async (name) => {
    const before = sluice.accesses.length;
    expect(await attempt(at("localhost"), name, "tea & sugar")).toBe(5);
    expect(await attempt(at("localhost"), name, "tea & sugar", 5)).toBe(0x87);
    await waitFor("both to be logged", () => sluice.accesses.length >= before + 2 || null);
    for (const { reason, server } of sluice.accesses.slice(-2))
      expect([reason, server]).toEqual(["bad-credentials", undefined]);
  });

  test("without credentials do not come in, unless that is allowed; with wrong ones they do not even then", async () => {
    expect(await attempt(at("localhost"), undefined, undefined)).toBe(5);
    await sluice.access((each) => each.reason === "no-credentials");
    expect(await attempt(at("localhost"), undefined, undefined, 5)).toBe(0x87);
    expect(await attempt(at("open.test"), undefined, undefined)).toBe("in");
    expect(await attempt(at("open.test"), "anna", "coffee")).toBe(5);
    for (const name of ["nobody", "plain", "slow"]) expect(await attempt(at("open.test"), name, "tea & sugar")).toBe(5);
  });

  test("are told 4 and 0x86 by a router with strict codes", async () => {
    expect(await attempt(at("strict.test"), "anna", "coffee")).toBe(4);
    expect(await attempt(at("strict.test"), "anna", "coffee", 5)).toBe(0x86);
    expect(await attempt(at("strict.test"), "anna", "tea & sugar", 5)).toBe("in");
  });

  test("with a verified certificate come in without credentials where that is enough, and not with wrong ones", async () => {
    expect(await attempt(at("certificate.test", device), undefined, undefined)).toBe("in");
    expect(await attempt(at("certificate.test"), undefined, undefined)).toBe(5);
    expect(await attempt(at("certificate.test", device), "anna", "coffee")).toBe(5);
    expect(await attempt(at("certificate.test"), "anna", "tea & sugar")).toBe("in");
  });

  test("are those that Mosquitto's own clients say they are", async () => {
    const publish = (...args: string[]) =>
      mosquittoPub(at("localhost").endpoint, "-t", "kitchen", "-m", "hello", "-q", "1", ...args);
    const listener = await mqttClient(at("localhost").endpoint, { username: "anna", password: "tea & sugar" });
    await listener.mqtt.subscribeAsync("kitchen");
    expect((await publish("-u", "old", "-P", "tea & sugar")).code).toBe(0);
    expect((await received(listener, "kitchen")).payload.toString()).toBe("hello");
    const refused = await publish("-u", "anna", "-P", "coffee");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("not authorised");
    expect((await publish("-V", "5", "-u", "anna", "-P", "coffee")).stderr).toContain("Not authorized");
    expect((await publish()).stderr).toContain("not authorised");
  });
});

describe("the broker", () => {
  test("gets the user name and no password where it is stripped, and both where it is not", async () => {
    seen.packets.length = 0;
    expect(await attempt(at("strip.test"), "anna", "tea & sugar")).toBe("in");
    expect(seen.packets[0]!.includes("anna")).toBe(true);
    expect(seen.packets[0]!.includes("tea & sugar")).toBe(false);
    // Connect flags: the user name, a clean session, and no password.
    expect(seen.packets[0]![9]! & 0xc2).toBe(0x82);
    const plain = { endpoint: { port: sluice.port }, name: "" };
    expect(await attempt(plain, "anna", "tea & sugar")).toBe("in");
    expect(seen.packets[1]!.includes("tea & sugar")).toBe(true);
    expect(await attempt(plain, "anna", "coffee")).toBe(5);
    expect(seen.packets.length).toBe(2);
  });
});

describe("beside mqttIdentity", () => {
  test("what the client has sent is checked, and not what the broker is told", async () => {
    seen.packets.length = 0;
    expect(await attempt(at("named.test"), "anna", "tea & sugar")).toBe("in");
    expect(seen.packets[0]!.includes("edge-anna")).toBe(true);
    expect(seen.packets[0]!.includes("tea & sugar")).toBe(false);
    expect(seen.packets[0]!.includes("given")).toBe(true);
    expect(await attempt(at("named.test"), "anna", "given")).toBe(5);
    expect(await attempt(at("named.test"), "edge-anna", "tea & sugar")).toBe(5);
    expect(seen.packets.length).toBe(1);
  });

  test("the later of the two decides about the password that the broker gets", async () => {
    seen.packets.length = 0;
    expect(await attempt(at("first.test"), "anna", "tea & sugar")).toBe("in");
    expect(await attempt(at("last.test"), "anna", "tea & sugar")).toBe("in");
    const [first, last] = seen.packets as [Buffer, Buffer];
    expect([first.includes("given"), last.includes("given")]).toEqual([true, false]);
    expect([first.includes("tea & sugar"), last.includes("tea & sugar")]).toEqual([false, false]);
  });
});

test("lines that cannot be used are errors with their places in the log and in check, and cost nothing", async () => {
  const wanted = [
    ["plain", "its password is not hashed"],
    ["slow", "its hash has more than 1000000 iterations"],
  ] as const;
  const lines = readFileSync(passwords, "utf8").split("\n");
  const checked = await sluiceCli(["check", `--configFile=${sluice.directory}/sluice.yml`], { cwd: sluice.directory });
  expect(checked.code).toBe(1);
  for (const [name, why] of wanted) {
    const line = lines.findIndex((each) => each.startsWith(`${name}:`)) + 1;
    const said = `${passwords}:${line}:1: the user "${name}" is refused: ${why}`;
    expect(checked.stderr).toContain(said);
    expect(sluice.lines.filter(({ msg }) => msg.includes(said)).length).toBe(1);
  }
  expect(checked.stderr).not.toContain("tea & sugar");
});

test("results and how long they took are counted", async () => {
  const count = (result: string) => sluice.metric("sluice_mqtt_authentication_duration_seconds_count", { result });
  for (const result of ["password", "anonymous", "certificate", "bad-credentials", "no-credentials"])
    expect(await count(result)).toBeGreaterThan(0);
  expect(await sluice.metric("sluice_config_diagnostics", { code: "password-line" })).toBe(2);
});

describe("while the file changes", () => {
  const file = join(directory, "changing");
  let changing: Sluice;
  const door = () => ({ endpoint: { port: changing.port }, name: "" });
  const HASH = NEW_FORM;

  beforeAll(async () => {
    changing = await Sluice.start({
      workers: 2,
      dynamic: `
tcp:
  middlewares: { auth: { mqttAuth: { passwordFile: ${file}, allowAnonymous: true } } }
  routers: { plain: { rule: "HostSNI(\`*\`)", service: s, middlewares: [auth] } }
  services: { s: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }`,
    });
  });

  test("a file that is not there keeps the router off, for those without credentials too; when it comes, users come in", async () => {
    await changing.logged(`the middleware "auth" is off: ${file}: no such file`);
    expect(await attempt(door(), "anna", "tea & sugar")).not.toBe("in");
    expect(await attempt(door(), undefined, undefined)).not.toBe("in");
    await changing.access((each) => each.reason === "router-off");
    replace(file, `anna:${HASH}\n`);
    await waitFor("anna to come in", async () => (await attempt(door(), "anna", "tea & sugar")) === "in" || null);
  });

  test("a user that mosquitto_passwd adds comes in, one that it deletes does not, and whoever is connected stays", async () => {
    const stays = await mqttClient(door().endpoint, { username: "anna", password: "tea & sugar" });
    await mosquittoPasswd("-b", file, "bob", "coffee");
    await waitFor("bob to come in", async () => (await attempt(door(), "bob", "coffee")) === "in" || null);
    await mosquittoPasswd("-D", file, "anna");
    await waitFor("anna to be refused", async () => (await attempt(door(), "anna", "tea & sugar")) === 5 || null);
    await stays.mqtt.subscribeAsync("still/here");
    await stays.mqtt.publishAsync("still/here", "yes", { qos: 1 });
    expect((await received(stays, "still/here")).payload.toString()).toBe("yes");
    stays.mqtt.end(true);
  });

  test("clients that come meanwhile get the answer that is right before and after each change", async () => {
    const user = (at: number, hash = HASH) => `user-${at}:${hash}\n`;
    const all = (changed: number) =>
      `anna:${HASH}\n${Array.from({ length: 2000 }, (_, at) => user(at, at === changed ? HASH.replace("1000", "999") : HASH)).join("")}`;
    replace(file, all(-1));
    await waitFor("anna to come in", async () => (await attempt(door(), "anna", "tea & sugar")) === "in" || null);
    let over = false;
    const outcomes = new Set<string>();
    const clients = [0, 1, 2].map(async (client) => {
      while (!over) {
        outcomes.add(`anna ${await attempt(door(), "anna", "tea & sugar")}`);
        outcomes.add(`wrong ${await attempt(door(), `user-${client}`, "coffee")}`);
      }
    });
    for (let change = 0; change < 5; change++) {
      const before = changing.lines.filter(({ msg }) => msg === "configuration loaded").length;
      replace(file, all(change + 10));
      await waitFor(
        "a reload",
        () => changing.lines.filter(({ msg }) => msg === "configuration loaded").length > before || null,
      );
    }
    over = true;
    await Promise.all(clients);
    expect([...outcomes].sort()).toEqual(["anna in", "wrong 5"]);
  });

  test("a file that vanishes leaves its users in force, and the log and a metric say so until it is back", async () => {
    const failing = () => changing.metric("sluice_tls_source_failing", { source: file });
    rmSync(file);
    await waitFor("the metric to say so", async () => (await failing()) === 1 || null);
    await changing.logged(`${file}: no such file; the former one goes on serving`);
    expect(await attempt(door(), "anna", "tea & sugar")).toBe("in");
    expect(await attempt(door(), "anna", "coffee")).toBe(5);
    replace(file, `# nobody yet\n`);
    await waitFor("anna to be refused", async () => (await attempt(door(), "anna", "tea & sugar")) === 5 || null);
    expect(await failing()).not.toBe(1);
    await changing.logged("nobody comes in by a password");
  });
});
