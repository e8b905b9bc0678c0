// Clients with Mbed TLS, wolfSSL and GnuTLS come through Sluice whatever their names are, with Ed25519 where they know it, and in short
// records as far as they can. A program that stays is cut when it is revoked. authority-clients.long.test.ts has all libraries and authorities.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { Backend, greeting } from "../support/backend.ts";
import { checkReport } from "../support/check-report.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
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

async function compiled(program: string, name: "mbedtls" | "wolfssl", ...flags: string[]): Promise<string> {
  const source = join(ROOT, `test/fixtures/clients/${name}.c`);
  const out = join(cwd, program);
  const { code, stderr } = await exec(["gcc", "-Wall", "-Werror", "-o", out, source, ...flags]);
  if (code !== 0) throw new Error(stderr);
  return out;
}
const MBED_TLS = ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"];
const PROGRAMS = {
  "Mbed TLS": await compiled("mbedtls", "mbedtls", "-DFRAGMENT=MBEDTLS_SSL_MAX_FRAG_LEN_2048", ...MBED_TLS),
  wolfSSL: await compiled("wolfssl", "wolfssl", "-lwolfssl"),
} as const;

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

const run = (program: string, name: string, topic: string, message: string) =>
  exec([
    ...[program, String(sluice.port), HOST],
    ...["ca.crt", "client.crt", "client.key"].map((file) => fileOf(name, file)),
    ...[topic, message],
  ]);

test.each([
  ["Mbed TLS", "ec", "Gerät 7"],
  ["Mbed TLS", "rsa", "Zähler 設備"],
  ["wolfSSL", "ec", "Tür 🚪"],
  ["wolfSSL", "ed25519", "Öl"],
] as const)(
  "%s with a key of %s, called %s: its message is at the broker until it is revoked",
  async (library, key, name) => {
    await certs("client", name, `--key=${key}`);
    const topic = `small/${library}/${key}`;
    const message = `Grüße von ${name}`;
    expect((await run(PROGRAMS[library], name, topic, message)).stdout).toStartWith("published TLSv1.");
    expect((await received(atBroker, topic)).payload.toString()).toBe(message);
    await certs("revoke", name, "--reason=keyCompromise");
    await waitFor(
      "the client to be refused",
      async () => (await run(PROGRAMS[library], name, topic, message)).code !== 0,
    );
    await sluice.access(
      ({ reason, clientSubject }) => reason === "client-certificate-revoked" && clientSubject === `CN=${name}`,
    );
  },
);

test("Mbed TLS of this age refuses certificates that come in several records, and certs check says so of a server", async () => {
  const program = await compiled("shorter", "mbedtls", "-DFRAGMENT=MBEDTLS_SSL_MAX_FRAG_LEN_512", ...MBED_TLS);
  await certs("client", "Kürzer");
  // MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE
  expect((await run(program, "Kürzer", "small/shorter", "x")).stdout).toBe("failed: handshake -28800\n");
  const trust = ["--ca", fileOf("Kürzer", "ca.crt")];
  const split = await checkReport(`127.0.0.1:${sluice.port}`, ["--sni", SHORT, ...trust], cwd);
  expect(split.noteCodes).toContain("split-certificates");
  const usual = await checkReport(`127.0.0.1:${sluice.port}`, ["--sni", HOST, ...trust], cwd);
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
