// A Java program comes through Sluice with the key stores that `sluice certs` makes: its message goes through a real broker, it is cut when
// its certificate is revoked, and does not come in again.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { sluiceCli } from "../support/cli.ts";
import { BOUNCY_CASTLE_JAR } from "../support/key-stores.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const PASSWORD = "changeit 42";
/** With a dot: Java sends no server name for a host without one, such as localhost. */
const HOST = "mqtt.example.com";
const cwd = temporaryDirectory();
const certs = async (...args: string[]): Promise<string> => {
  const finished = await sluiceCli(["certs", ...args], { cwd, env: { PASSWORD } });
  if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
  return finished.stdout;
};

/** By the type that Java opens it as: the key of its client, the ending of its file and how it is converted. */
const STORES = {
  "JKS, an RSA key": ["JKS", "rsa", "jks"],
  "JKS, an EC key": ["JKS", "ec", "jks"],
  "JCEKS, an EC key": ["JCEKS", "ec", "jceks"],
  "PKCS#12, an EC key": ["PKCS12", "ec", "p12"],
  "PKCS#12, an Ed25519 key": ["PKCS12", "ed25519", "p12"],
  "PKCS#12 with RC2, an RSA key": ["PKCS12", "rsa", "p12", "--legacy"],
  "PKCS#12 with triple DES, an EC key": ["PKCS12", "ec", "p12", "--legacy=3des"],
  "BKS, an EC key": ["BKS", "ec", "bks"],
  "BKS version 1, an RSA key": ["BKS-V1", "rsa", "bks", "--to=bks-v1"],
} as const;
type Name = keyof typeof STORES;
const NAMES = Object.keys(STORES) as Name[];
const clientOf = (name: Name): string => `Gerät ${NAMES.indexOf(name)} 設備`;

/** What `certs client` makes for Java by itself: the family, and its key store and its trust store in the folder. */
const FAMILIES = {
  "paho-java": [["--for=paho-java"], "PKCS12", "client.p12", "trust.p12"],
  "paho-java, legacy": [["--for=paho-java", "--legacy"], "PKCS12", "client.p12", "trust.p12"],
  "paho-java, JKS": [["--for=paho-java", "--store=jks"], "JKS", "client.jks", "trust.jks"],
  thingsboard: [["--for=thingsboard"], "JKS", "client.jks", "trust.jks"],
  tempus: [["--for=tempus", "--key=rsa"], "JKS", "client.jks", "trust.jks"],
  android: [["--for=android"], "BKS", "client.bks", "client.bks"],
} as const;

interface StoreFile {
  readonly type: string;
  readonly file: string;
}

/** What the folder of a client has, as a key store in which its authority is trusted. */
async function storeOf(name: Name): Promise<StoreFile> {
  const [type, key, ending, ...how] = STORES[name];
  const client = clientOf(name);
  await certs("client", client, `--key=${key}`);
  const [cert, ...rest] = ["client.crt", "client.key", "ca.crt"].map((file) => join("clients", client, file));
  const file = `${NAMES.indexOf(name)}.${ending}`;
  const parts = [`--keyFile=${rest[0]}`, `--caFile=${rest[1]}`];
  await certs("convert", cert!, file, ...parts, "--outPasswordEnv=PASSWORD", ...how);
  return { type, file: join(cwd, file) };
}

class JavaClient {
  said = "";
  readonly #process;

  constructor(port: number, version: string, topic: string, own: StoreFile, trusted: StoreFile, host = HOST) {
    const stores = [own, trusted].flatMap(({ type, file }) => [type, file, PASSWORD]);
    const java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", `-Djdk.net.hosts.file=${cwd}/hosts`];
    this.#process = Bun.spawn(
      [
        ...[...java, "-Dorg.bouncycastle.bks.enable_v1=true", "-cp", `${cwd}:${BOUNCY_CASTLE_JAR}`, "MqttOverTls"],
        ...[host, String(port), version, topic, ...stores],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    cleanup(() => this.#process.kill("SIGKILL"));
    void this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) this.said += decoder.decode(chunk, { stream: true });
  }

  /** Waits for a line that begins so. */
  has(text: string): Promise<string> {
    return waitFor(`Java to say ${text}, instead of: ${this.said}`, () => {
      return this.said.split("\n").find((line) => line.startsWith(text)) ?? null;
    });
  }
}

writeFileSync(join(cwd, "hosts"), `127.0.0.1 ${HOST} localhost\n`);
const compiled = await exec(["javac", "-d", cwd, join(import.meta.dir, "../support/MqttOverTls.java")]);
if (compiled.code !== 0) throw new Error(compiled.stderr);
await certs("init", "--name=Größe & Söhne", "--intermediate");
const { tls } = parse((await certs("server", HOST)).replaceAll(/^ {2}# (?!To let)/gm, "  "));
const absolute = (text: string) => text.replaceAll(/\b(servers|authority)\//g, `${cwd}/$1/`);
const broker = await Mosquitto.start();
const sluice = await Sluice.start({
  dynamic: `tcp:
  routers: { mqtt: { rule: HostSNI(\`${HOST}\`), service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
${absolute(stringify({ tls }))}`,
  workers: 2,
});
const atBroker = await mqttClient({ port: broker.port });
await atBroker.mqtt.subscribeAsync("java/#", { qos: 1 });
const stores = new Map<Name, StoreFile>();
for (const name of NAMES) stores.set(name, await storeOf(name));

/** The message of a client goes to the broker and back; then it is revoked, cut and refused. */
async function comesAndGoes(name: string, topic: string, own: StoreFile, trusted: StoreFile): Promise<void> {
  const staying: JavaClient[] = [];
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const client = new JavaClient(sluice.port, version, `${topic}/${version}`, own, trusted);
    const message = `Grüße from Java, ${topic}/${version}`;
    expect(await client.has("")).toBe(`tls ${version}`);
    expect(await client.has("received")).toBe(`received ${message}`);
    expect((await received(atBroker, `${topic}/${version}`)).payload.toString()).toBe(message);
    staying.push(client);
  }
  await certs("revoke", name, "--reason=keyCompromise");
  for (const client of staying) await client.has("closed");
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const again = new JavaClient(sluice.port, version, topic, own, trusted);
    expect(await again.has("! ")).toContain("certificate_revoked");
    expect(again.said).not.toContain("received");
  }
}

const WHAT = "the message is at the broker and comes back; the client is cut and refused once it is revoked";

test.each(NAMES)(`%s: ${WHAT}`, async (name) => {
  const store = stores.get(name)!;
  await comesAndGoes(clientOf(name), `java/${NAMES.indexOf(name)}`, store, store);
});

test.each(Object.entries(FAMILIES))(`certs client for %s: ${WHAT}`, async (family, [options, type, own, trusted]) => {
  const client = `Gerät für ${family}`;
  await certs("client", client, ...options, "--storePasswordEnv=PASSWORD");
  const file = (name: string): StoreFile => ({ type, file: join(cwd, "clients", client, name) });
  await comesAndGoes(client, `java/${family.replaceAll(/\W+/g, "-")}`, file(own), file(trusted));
});

test("a store without a key of its own is refused by Sluice, and one that trusts another authority refuses Sluice", async () => {
  const own = stores.get("JKS, an EC key")!;
  await certs("convert", "authority/ca.crt", "trust.jks", "--outPasswordEnv=PASSWORD");
  await certs("init", "--dir=other");
  await certs("convert", "other/ca.crt", "other.p12", "--outPasswordEnv=PASSWORD");
  const trust = { type: "JKS", file: join(cwd, "trust.jks") };
  const nobody = new JavaClient(sluice.port, "TLSv1.3", "java/nobody", trust, trust);
  expect(await nobody.has("! ")).toContain("certificate_required");
  const other = { type: "PKCS12", file: join(cwd, "other.p12") };
  const stranger = new JavaClient(sluice.port, "TLSv1.3", "java/stranger", own, other);
  expect(await stranger.has("! ")).toContain("PKIX path building failed");
  expect(atBroker.messages.filter(({ topic }) => /nobody|stranger/.test(topic))).toEqual([]);
});

test("Java sends no server name for localhost, as docs/client-errors.md says", async () => {
  const own = stores.get("JKS, an EC key")!;
  const nameless = new JavaClient(sluice.port, "TLSv1.3", "java/nameless", own, own, "localhost");
  expect(await nameless.has("! ")).toContain("unrecognized_name");
  expect(await sluice.access(({ reason }) => reason === "no-route")).not.toHaveProperty("sni");
});
