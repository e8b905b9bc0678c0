// Programs on Mbed TLS, wolfSSL and GnuTLS come through Sluice with what `sluice certs client` issues: with keys of each kind that they
// know, and names in any script. Whoever is revoked is cut, and does not come in again.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { Backend, greeting } from "../support/backend.ts";
import { checkReport } from "../support/check-report.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const HOST = "mqtt.example.com";
/** Its server greets, for a client that sends only lines. */
const GREETER = "greeter.example.com";
/** Its records have 512 bytes for everybody. */
const SHORT = "short.example.com";
const cwd = temporaryDirectory();
const certs = async (...args: string[]): Promise<string> => {
  const finished = await sluiceCli(["certs", ...args], { cwd });
  if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
  return finished.stdout;
};

const LIBRARIES = {
  "Mbed TLS": { program: join(cwd, "mbedtls"), version: "TLSv1.2", flags: ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"] },
  wolfSSL: { program: join(cwd, "wolfssl"), version: "TLSv1.3", flags: ["-DWITH_WOLFSSL", "-lwolfssl"] },
} as const;
type Library = keyof typeof LIBRARIES;

async function compile(program: string, flags: readonly string[]): Promise<void> {
  const source = join(import.meta.dir, "../support/small-client.c");
  const compiled = await exec(["gcc", "-Wall", "-Werror", "-o", program, source, ...flags]);
  if (compiled.code !== 0) throw new Error(compiled.stderr);
}
for (const { program, flags } of Object.values(LIBRARIES)) await compile(program, flags);
await certs("init", "--name=Größe & Söhne", "--intermediate");
const { tls } = parse((await certs("server", HOST, GREETER, SHORT)).replaceAll(/^ {2}# (?!To let)/gm, "  "));
const [broker, greeter] = [await Mosquitto.start(), await Backend.start("greeter")];
const sluice = await Sluice.start({
  dynamic: `tcp:
  routers:
    mqtt: { rule: HostSNI(\`${HOST}\`), service: broker, tls: {} }
    greeter: { rule: HostSNI(\`${GREETER}\`), service: greeter, tls: {} }
    short: { rule: HostSNI(\`${SHORT}\`), service: greeter, tls: { options: short } }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    greeter: { loadBalancer: { servers: [{ port: ${greeter.port} }] } }
${stringify({ tls: { ...tls, options: { ...tls.options, short: { maxRecordSize: 512 } } } }).replaceAll(/\b(servers|authority)\//g, `${cwd}/$1/`)}`,
  workers: 2,
});
const atBroker = await mqttClient({ port: broker.port });
await atBroker.mqtt.subscribeAsync("small/#", { qos: 1 });

const fileOf = (name: string, file: string) => join(cwd, "clients", name, file);

/** A program that stays connected, and all that it has said. */
class Program {
  said = "";
  readonly process;
  /** Streams that have not ended. */
  #open = 0;

  constructor(command: readonly string[]) {
    this.process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    cleanup(() => this.process.kill("SIGKILL"));
    for (const stream of [this.process.stdout, this.process.stderr]) void this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    this.#open++;
    for await (const chunk of stream) this.said += decoder.decode(chunk, { stream: true });
    this.#open--;
  }

  has(pattern: RegExp): Promise<unknown> {
    return waitFor(`${pattern}`, () => {
      if (pattern.test(this.said)) return true;
      // What it said last may still be on its way.
      if (this.process.exitCode !== null && this.#open === 0) throw new Error(`${pattern}, instead of: ${this.said}`);
      return false;
    });
  }
}

/** The client has gone, or was refused, because its certificate is revoked. */
const revoked = (name: string, reason: string) =>
  sluice.access((line) => line.reason === reason && (line.clientSubject ?? "").includes(name));

describe.each([
  ["Mbed TLS", "ec", "Gerät 7"],
  ["Mbed TLS", "ec384", "küche"],
  ["Mbed TLS", "rsa", "Zähler 設備"],
  ["wolfSSL", "ec", "Tür 🚪"],
  ["wolfSSL", "rsa", "Straße 5"],
  ["wolfSSL", "ed25519", "Öl"],
] as const)("%s with a key of %s", (library: Library, key, name) => {
  test("its message is at the broker; once it is revoked it is cut, and refused", async () => {
    await certs("client", name, `--key=${key}`);
    const { program, version } = LIBRARIES[library];
    const topic = `small/${library}/${key}`;
    const start = () =>
      new Program([
        ...[program, HOST, "127.0.0.1", String(sluice.port), topic, `Grüße von ${name}`],
        ...["ca.crt", "client.crt", "client.key"].map((file) => fileOf(name, file)),
      ]);
    const client = start();
    await client.has(/^published 0$/m);
    expect(client.said).toStartWith(`tls ${version}\n`);
    expect((await received(atBroker, topic)).payload.toString()).toBe(`Grüße von ${name}`);
    await certs("revoke", name, "--reason=keyCompromise");
    await client.has(/^closed /m);
    const again = start();
    await again.has(/^(?:refused|closed) /m);
    expect(again.said).not.toContain("connected");
    await revoked(name, "client-certificate-revoked");
  });
});

test("Mbed TLS of this age refuses certificates that come in several records, and certs check says so of a server", async () => {
  const program = join(cwd, "shorter");
  await compile(program, ["-DFRAGMENT=MBEDTLS_SSL_MAX_FRAG_LEN_512", ...LIBRARIES["Mbed TLS"].flags]);
  await certs("client", "Kürzer");
  const files = ["ca.crt", "client.crt", "client.key"].map((file) => fileOf("Kürzer", file));
  const client = new Program([program, HOST, "127.0.0.1", String(sluice.port), "small/shorter", "x", ...files]);
  // MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE
  await client.has(/^refused -28800$/m);
  const seen = await checkReport(`127.0.0.1:${sluice.port}`, ["--sni", SHORT, "--ca", files[0]!], cwd);
  expect(seen.noteCodes).toContain("split-certificates");
  const usual = await checkReport(`127.0.0.1:${sluice.port}`, ["--sni", HOST, "--ca", files[0]!], cwd);
  expect(usual.noteCodes).not.toContain("split-certificates");
});

describe.each([
  ["ec", "Pförtner"],
  ["rsa", "Gäste"],
  ["ed25519", "Außen 日本"],
] as const)("GnuTLS with a key of %s", (key, name) => {
  test.each(["NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"])("%s", async (priority) => {
    const client = `${name} ${priority.at(-1)}`;
    await certs("client", client, `--key=${key}`);
    const start = () =>
      new Program([
        ...["gnutls-cli", "--sni-hostname", GREETER, "--verify-hostname", GREETER, "--priority", priority],
        ...["--x509cafile", fileOf(client, "ca.crt"), "--x509certfile", fileOf(client, "client.crt")],
        ...["--x509keyfile", fileOf(client, "client.key"), "-p", String(sluice.port), "127.0.0.1"],
      ]);
    const staying = start();
    await staying.has(new RegExp(greeting("greeter").trim()));
    expect(staying.said).toContain("Status: The certificate is trusted.");
    await certs("revoke", client);
    await waitFor("gnutls-cli to be cut", () => staying.process.exitCode !== null);
    const again = start();
    await again.has(/Certificate has been revoked|certificate was revoked|was revoked/i);
    expect(again.said).not.toContain(greeting("greeter").trim());
  });
});
