// Folders of devices in programs that know nothing of Sluice: keytool, BouncyCastle, openssl, Mosquitto's bridge; and renewed, for every family.

import { expect, test } from "bun:test";
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { parse } from "yaml";
import { FAMILY_NAMES } from "../../src/fleet/names.ts";
import { sluiceCli } from "../support/cli.ts";
import { BOUNCY_CASTLE, keytool, openssl, seenByJava } from "../support/key-stores.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const cwd = temporaryDirectory();
const certs = async (...args: string[]) => {
  const finished = await sluiceCli(["certs", ...args], { cwd });
  if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
  return finished.stdout;
};
const path = (...parts: string[]) => join(cwd, "clients", ...parts);
const text = (...parts: string[]) => readFileSync(path(...parts), "utf8");
const passwordOf = (name: string) => text(name, "password.txt").trim();
await certs("init");
await certs("server", "localhost");
const root = new X509Certificate(readFileSync(join(cwd, "authority/ca.crt"))).raw;

const STORES = [
  ["paho-java", [], "p12", "PKCS12", "Java"],
  ["paho-java", ["--legacy"], "p12", "PKCS12", "Java"],
  ["paho-java", ["--legacy=3des"], "p12", "PKCS12", "Java"],
  ["paho-java", ["--store=jks"], "jks", "JKS", "Java"],
  ["thingsboard", [], "jks", "JKS", "Java"],
  ["tempus", ["--store=p12"], "p12", "PKCS12", "Java"],
  ["generic", [], "p12", "PKCS12", "BC"],
  ["android", [], "bks", "BKS", "BC"],
  ["android", ["--store=bks-v1"], "bks", "BKS-V1", "BC"],
  ["android", ["--legacy"], "p12", "PKCS12", "BC"],
] as const;

test("Java and BouncyCastle find key, certificate and authority in the stores of every family", async () => {
  for (const [at, [family, options, extension, type, provider]] of STORES.entries())
    for (const key of ["ec", "rsa"]) {
      const name = `Gerät ${at} ${key}`;
      await certs("client", name, `--for=${family}`, `--key=${key}`, ...options);
      const seen = await seenByJava(type, provider, path(name, `client.${extension}`), passwordOf(name));
      if (typeof seen === "string") throw new Error(`${family}: ${seen}`);
      expect(seen.map(({ alias }) => alias)).toEqual(["ca", "client"]);
      const [authority, own] = seen;
      expect(authority!.certificates).toEqual([root]);
      const certificate = new X509Certificate(own!.certificates[0]!);
      expect(certificate.subject).toBe(`CN=${name}`);
      expect(certificate.checkPrivateKey(createPrivateKey({ key: own!.key!, format: "der", type: "pkcs8" }))).toBe(
        true,
      );
      if (!existsSync(path(name, `trust.${extension}`))) continue;
      const trust = await seenByJava(type, provider, path(name, `trust.${extension}`), passwordOf(name));
      expect(trust).toEqual([{ alias: "ca", key: null, certificates: [root] }]);
    }
});

test("keytool lists a BKS as the guide for Rhasspy does it, and openssl opens both kinds of PKCS#12", async () => {
  await certs("client", "phone", "--for=android");
  await certs("client", "old-phone", "--for=android", "--legacy");
  const listed = await keytool(
    ...["-list", "-keystore", path("phone", "client.bks"), "-storetype", "BKS", "-storepass", passwordOf("phone")],
    ...BOUNCY_CASTLE,
  );
  expect(listed).toContain("Your keystore contains 2 entries");
  expect(listed).toMatch(/ca, .*trustedCertEntry/);
  expect(listed).toMatch(/client, .*PrivateKeyEntry/);
  for (const name of ["phone", "old-phone"]) {
    const legacy = name === "phone" ? [] : ["-legacy"];
    const file = ["-in", path(name, "client.p12"), "-passin", `file:${path(name, "password.txt")}`];
    const out = await openssl("pkcs12", ...file, ...legacy, "-nodes");
    expect(out.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(out).toContain("BEGIN PRIVATE KEY");
    if (name === "old-phone") await expect(openssl("pkcs12", ...file, "-nodes")).rejects.toThrow();
  }
});

test("a bridge of Mosquitto connects through Sluice with the lines of the README", async () => {
  const far = await Mosquitto.start();
  const sluice = await Sluice.start({
    dynamic: JSON.stringify({
      tcp: {
        routers: { mqtt: { rule: "HostSNI(`localhost`)", service: "broker", tls: {} } },
        services: { broker: { loadBalancer: { servers: [{ port: far.port }] } } },
      },
      tls: {
        certificates: [
          { certFile: join(cwd, "servers/localhost/server.crt"), keyFile: join(cwd, "servers/localhost/server.key") },
        ],
        options: { default: { clientAuth: { caFiles: [join(cwd, "authority/ca.crt")] } } },
      },
    }),
  });
  await certs("client", "bridge 1", "--for=mosquitto", `--host=localhost:${sluice.port}`);
  const [, lines] = /^```\n(connection[\s\S]*?)\n```$/m.exec(text("bridge 1", "README.md"))!;
  const near = await Mosquitto.start({
    lines: [
      ...lines!.split("\n").map((line) => line.replace(/(?<=file )/, `${path("bridge 1")}/`)),
      "topic bridged out",
    ],
  });
  const listener = await connectAsync(`mqtt://127.0.0.1:${far.port}`);
  const arrived: string[] = [];
  listener.on("message", (topic, payload) => arrived.push(`${topic} ${payload}`));
  await listener.subscribeAsync("bridged");
  const sender = await connectAsync(`mqtt://127.0.0.1:${near.port}`);
  await sender.publishAsync("bridged", "over", { qos: 1 });
  await waitFor("the message over the bridge", () => arrived.includes("bridged over"));
  await sender.endAsync();
  await listener.endAsync();
});

test("SINETStream's configuration is YAML that says what the folder holds, whatever the name is", async () => {
  for (const name of ["yes", "#1: 'x'", "Gerät {7}"]) {
    await certs("client", name, "--for=sinetstream", "--host=edge.example:8884");
    const folder = readdirSync(path()).find((each) => decodeURIComponent(each) === name)!;
    const [, yaml] = /^```yaml\n([\s\S]*?)^```$/m.exec(text(folder, "README.md"))!;
    expect(parse(yaml!)).toEqual({
      sluice: {
        ...{ type: "mqtt", brokers: "edge.example:8884", topic: "hello", client_id: name },
        tls: { ca_certs: "ca.crt", certfile: "client.crt", keyfile: "client.key" },
      },
    });
  }
});

/** The certificate and the key of a folder, from each of its files that has them. */
async function pairs(name: string): Promise<{ certificate: X509Certificate; key: KeyObject }[]> {
  const file = (end: string) => readFileSync(path(name, end));
  const found: { certificate: X509Certificate; key: KeyObject }[] = [];
  const add = (certificate: Buffer, key: KeyObject) =>
    found.push({ certificate: new X509Certificate(certificate), key });
  const names = readdirSync(path(name));
  if (names.includes("client.crt")) add(file("client.crt"), createPrivateKey(file("client.key")));
  if (names.includes("client.der"))
    add(file("client.der"), createPrivateKey({ key: file("client-key.der"), format: "der", type: "pkcs8" }));
  if (names.includes("sluice-client.h")) {
    const strings = [
      ...file("sluice-client.h")
        .toString()
        .matchAll(/^ {4}"(.*)\\n"/gm),
    ].map(([, line]) => line!);
    const blocks = strings.join("\n").match(/-----BEGIN[\s\S]*?-----END [A-Z ]+-----/g)!;
    add(Buffer.from(blocks[1]!), createPrivateKey(blocks.at(-1)!));
  }
  for (const [extension, type] of [
    ["p12", "PKCS12"],
    ["jks", "JKS"],
    ["bks", "BKS"],
  ] as const) {
    if (!names.includes(`client.${extension}`)) continue;
    const seen = await seenByJava(
      type,
      type === "BKS" ? "BC" : "Java",
      path(name, `client.${extension}`),
      passwordOf(name),
    );
    if (typeof seen === "string") throw new Error(seen);
    const own = seen.find(({ key }) => key !== null)!;
    add(own.certificates[0]!, createPrivateKey({ key: own.key!, format: "der", type: "pkcs8" }));
  }
  return found;
}

test.each([...FAMILY_NAMES])(
  "%s: after every renewal all files have the same new certificate, with a new key or with --sameKey the former one",
  async (family) => {
    const name = `kept-${family}`;
    const spki = (key: KeyObject) => createPublicKey(key).export({ type: "spki", format: "der" }).toString("hex");
    const state = async () => {
      const all = await pairs(name);
      expect(all.length).toBeGreaterThan(0);
      const serials = new Set(all.map(({ certificate }) => certificate.serialNumber));
      const keys = new Set(all.map(({ key }) => spki(key)));
      for (const { certificate, key } of all) expect(certificate.checkPrivateKey(key)).toBe(true);
      expect([serials.size, keys.size]).toEqual([1, 1]);
      const [serial, key] = [[...serials][0]!, [...keys][0]!];
      expect(JSON.parse(text(name, "sluice.json")).serial).toBe(serial);
      return { serial, key, names: readdirSync(path(name)).sort() };
    };
    await certs("client", name, `--for=${family}`, "--key=rsa", "--host=edge.example");
    const made = await state();
    await certs("renew", name);
    const renewed = await state();
    await certs("renew", name, "--sameKey");
    const kept = await state();
    expect(new Set([made.serial, renewed.serial, kept.serial]).size).toBe(3);
    expect(renewed.key).not.toBe(made.key);
    expect(kept.key).toBe(renewed.key);
    expect([renewed.names, kept.names]).toEqual([made.names, made.names]);
  },
);

test("a key that is encrypted stays so when it is renewed, and the README says it", async () => {
  const password = join(cwd, "key-password");
  await Bun.write(password, "tea & sugar\n");
  for (const family of ["mosquitto", "generic"]) {
    const name = `sealed-${family}`;
    await certs("client", name, `--for=${family}`, `--keyPasswordFile=${password}`);
    expect(text(name, "README.md")).toContain("`client.key` is encrypted");
    const refused = await sluiceCli(["certs", "renew", name], { cwd });
    expect(refused).toMatchObject({ code: 1 });
    const before = text(name, "client.key");
    await certs("renew", name, "--sameKey");
    expect(text(name, "client.key")).toBe(before);
    expect(text(name, "README.md")).toContain("`client.key` is encrypted");
    await certs("renew", name, `--keyPasswordFile=${password}`);
    expect(text(name, "client.key")).toContain("ENCRYPTED");
    expect(text(name, "client.key")).not.toBe(before);
  }
});
