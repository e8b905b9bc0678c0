// What `sluice certs` issues lets in clients with every TLS library that is at hand: OpenSSL (Mosquitto's, Paho's for C and Python),
// Node's, GnuTLS, Mbed TLS and wolfSSL. Their message is at a real broker; revoked, none comes through. Java has a file of its own.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { exec, type Finished, temporaryDirectory, waitFor } from "../support/tools.ts";

const HOST = "localhost";
const programs = temporaryDirectory();

/** A client in C, compiled with a TLS library of its own. */
async function compiled(name: string, ...libraries: string[]): Promise<string> {
  const out = join(programs, name);
  const source = join(ROOT, `test/fixtures/clients/${name}.c`);
  const { code, stderr } = await exec(["gcc", "-Wall", "-o", out, source, ...libraries.map((each) => `-l${each}`)]);
  if (code !== 0) throw new Error(stderr);
  return out;
}

const [mbedTls, wolfSsl] = await Promise.all([
  compiled("mbedtls", "mbedtls", "mbedx509", "mbedcrypto"),
  compiled("wolfssl", "wolfssl"),
]);

interface Sending {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly topic: string;
}

const MESSAGE = "Grüße 🌡";
const PAHO_PYTHON = `
import sys, paho.mqtt.publish as publish
port, ca, cert, key, topic, message = sys.argv[1:]
publish.single(topic, message, qos=1, hostname="${HOST}", port=int(port), tls={"ca_certs": ca, "certfile": cert, "keyfile": key})
`;
const MQTT_JS = `
const [library, port, ca, cert, key, topic, message] = process.argv.slice(1);
const read = require("node:fs").readFileSync;
const tls = { ca: read(ca), cert: read(cert), key: read(key) };
const client = require(library).connect({ protocol: "mqtts", host: "127.0.0.1", servername: "${HOST}", port, reconnectPeriod: 0, ...tls });
client.on("error", (error) => { console.log(error.message); process.exit(1); });
client.on("connect", () => client.publish(topic, message, { qos: 1 }, () => client.end()));
`;

/** CONNECT, PUBLISH with QoS 0 and DISCONNECT of MQTT 3.1.1, for programs that only carry bytes. */
function packets(topic: string): Buffer {
  const [name, payload] = [Buffer.from(topic), Buffer.from(MESSAGE)];
  const connect = Buffer.from([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 4, 2, 0, 0, 0, 0]);
  const publish = [0x30, 2 + name.length + payload.length, 0, name.length];
  return Buffer.concat([connect, Buffer.from(publish), name, payload, Buffer.from([0xe0, 0])]);
}

/** Runs a program that closes its connection at the end of its input: it gets none, and ends when the other side closes. */
async function withOpenInput(command: readonly string[], input: Buffer): Promise<Finished> {
  const child = Bun.spawn([...command], { stdio: ["pipe", "pipe", "pipe"], timeout: 30_000, killSignal: "SIGKILL" });
  child.stdin.write(input);
  await child.stdin.flush();
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map((each) => new Response(each).text()));
  return { code: await child.exited, stdout: stdout!, stderr: stderr! };
}

const words = ({ port, ca, cert, key, topic }: Sending) => [String(port), ca, cert, key, topic, MESSAGE];

const CLIENTS: Readonly<Record<string, (sending: Sending) => Promise<Finished>>> = {
  mosquitto_pub: ({ port, ca, cert, key, topic }) =>
    exec([
      ...["mosquitto_pub", "-h", HOST, "-p", String(port), "--cafile", ca, "--cert", cert, "--key", key],
      ...["-q", "1", "-t", topic, "-m", MESSAGE],
    ]),
  // One that is refused does not always end, with Mosquitto alone neither.
  "Paho for C": ({ port, ca, cert, key, topic }) =>
    exec(
      [
        ...["paho_c_pub", "-c", `ssl://${HOST}:${port}`, "--cafile", ca, "--cert", cert, "--key", key],
        ...["-q", "1", "-t", topic, "-m", MESSAGE],
      ],
      { timeoutMs: 5000 },
    ),
  "Paho for Python": (sending) => exec(["/usr/bin/python3", "-c", PAHO_PYTHON, ...words(sending)]),
  "MQTT.js": (sending) => exec(["node", "-e", MQTT_JS, join(ROOT, "node_modules/mqtt"), ...words(sending)]),
  "gnutls-cli": ({ port, ca, cert, key, topic }) =>
    withOpenInput(
      [
        ...["gnutls-cli", "--x509cafile", ca, "--x509certfile", cert, "--x509keyfile", key],
        ...["--sni-hostname", HOST, "--verify-hostname", HOST, "-p", String(port), "127.0.0.1"],
      ],
      packets(topic),
    ),
  "Mbed TLS": ({ port, ...files }) => exec([mbedTls, String(port), HOST, ...words({ port, ...files }).slice(1)]),
  wolfSSL: ({ port, ...files }) => exec([wolfSsl, String(port), HOST, ...words({ port, ...files }).slice(1)]),
};

const AUTHORITIES: Readonly<Record<string, readonly string[]>> = {
  "with an EC key": [],
  "with an EC key of 384 bits and an intermediate one": ["--key=ec384", "--intermediate"],
  "with an RSA key": ["--key=rsa"],
  "with an RSA key and an intermediate one": ["--key=rsa", "--intermediate"],
};
const KEYS = ["ec", "ec384", "rsa2048", "rsa4096"] as const;

for (const [name, init] of Object.entries(AUTHORITIES))
  test(`an authority ${name}: clients of every library come in by what it issues, and none that is revoked`, async () => {
    const cwd = temporaryDirectory();
    const certs = async (...args: string[]): Promise<string> => {
      const finished = await sluiceCli(["certs", ...args], { cwd });
      if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
      return finished.stdout;
    };
    await certs("init", ...init, "--name=Größe & Söhne");
    // Every library has to know the server's kind of key as well.
    const serverKey = init.includes("--key=rsa") ? "rsa" : "ec";
    const lines = await certs("server", HOST, "127.0.0.1", `--key=${serverKey}`);
    const { tls } = parse(lines.replaceAll(/^ {2}# (?!To let)/gm, "  "));
    const broker = await Mosquitto.start();
    const sluice = await Sluice.start({
      dynamic: `tcp:
  routers: { mqtt: { rule: HostSNI(\`${HOST}\`), service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
${stringify({ tls }).replaceAll(/\b(servers|authority)\//g, `${cwd}/$1/`)}`,
    });
    const atBroker = await mqttClient({ port: broker.port });
    await atBroker.mqtt.subscribeAsync("#", { qos: 1 });
    const sending = (key: string, topic: string): Sending => {
      const file = (end: string) => join(cwd, `clients/Gerät ${key}/${end}`);
      return { port: sluice.port, ca: file("ca.crt"), cert: file("client.crt"), key: file("client.key"), topic };
    };
    for (const key of KEYS) await certs("client", `Gerät ${key}`, `--key=${key}`);
    for (const [client, publish] of Object.entries(CLIENTS))
      for (const key of KEYS) {
        const topic = `${client}, ${key}`;
        const { code, stdout, stderr } = await publish(sending(key, topic));
        expect({ topic, code, said: code === 0 ? "" : stdout + stderr }).toEqual({ topic, code: 0, said: "" });
        expect((await received(atBroker, topic)).payload.toString()).toBe(MESSAGE);
      }
    await certs("revoke", ...KEYS.map((key) => `Gerät ${key}`));
    const revoked = () => sluice.accesses.filter(({ reason }) => reason === "client-certificate-revoked").length;
    await waitFor("the list to be in force", async () => {
      await CLIENTS.mosquitto_pub!(sending("ec", "until then"));
      return revoked() > 0;
    });
    for (const [client, publish] of Object.entries(CLIENTS)) {
      const [before, topic] = [revoked(), `${client}, revoked`];
      await publish(sending("ec", topic));
      await sluice.access(() => revoked() > before, `${client} to be refused`);
      expect(atBroker.messages.filter((message) => message.topic === topic)).toEqual([]);
    }
  }, 300_000);
