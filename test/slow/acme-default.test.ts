// Clients without SNI get a certificate that a real authority has issued: the default one that a resolver obtains, or that of a
// catch-all router; and a renewal keeps the kind of key that the stored certificate has.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { AcmeStorage } from "../../src/acme/storage.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Pebble, type PebbleOptions } from "../support/pebble.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const mosquitto = await Mosquitto.start();
const services = `  services: { broker: { loadBalancer: { servers: [{ port: ${mosquitto.port} }] } } }\n`;

async function authority(options: PebbleOptions = {}) {
  const port = await freePort();
  const pebble = await Pebble.start({ tlsPort: port, ...options });
  const storage = join(temporaryDirectory(), "acme.json");
  await pebble.saveAccount(storage, "le");
  const resolver = (more = "") =>
    `certificatesResolvers:\n  le:\n    acme:\n      email: a@b.c\n      caServer: ${pebble.directory}\n      caCertificates: [${pebble.ca}]\n      storage: ${storage}\n      tlsChallenge: {}\n${more}`;
  const start = (dynamic: string, more = "") => Sluice.start({ port, dynamic, extra: resolver(more) });
  return { pebble, port, storage, start };
}

/** The names of the certificate that a client without SNI is shown, once it is of the authority. */
function shownWithoutSni(port: number, ca: string, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, ca, rejectUnauthorized: false, checkServerIdentity: () => undefined };
    const socket = connect(options, () => {
      resolve(socket.authorized ? (socket.getPeerX509Certificate()?.subjectAltName ?? "") : null);
      socket.destroy();
    });
    socket.on("error", () => resolve(null));
  }).then((names) => (names === `DNS:${host}` ? host : null));
}

async function publishesWithoutSni(port: number, ca: string): Promise<boolean> {
  const file = join(temporaryDirectory(), "root.pem");
  await Bun.write(file, ca);
  // mosquitto_pub asks for no name when it dials an address.
  const command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", String(port), "--cafile", file, "--insecure"];
  return (await exec([...command, "-t", "t", "-m", "x", "-q", "1"])).code === 0;
}

test("defaultGeneratedCert, and a catch-all router with resolver and domains: clients without SNI get what the resolver obtains", async () => {
  const { pebble, port, start } = await authority();
  const sluice = await start(
    `tcp:\n  routers:\n    all: { rule: "HostSNI(\`*\`)", service: broker, tls: {} }\n${services}tls:\n  stores: { default: { defaultGeneratedCert: { resolver: le, domain: { main: default.acme.test } } } }\n`,
  );
  const root = await pebble.root();
  await waitFor("the default certificate", () => shownWithoutSni(port, root, "default.acme.test"), 20_000);
  expect(await publishesWithoutSni(port, root)).toBe(true);

  sluice.write(
    "dynamic.yml",
    `tcp:\n  routers:\n    all: { rule: "HostSNI(\`*\`)", service: broker, tls: { certResolver: le, domains: [{ main: all.acme.test }] } }\n${services}`,
  );
  await waitFor("the router's certificate", () => shownWithoutSni(port, root, "all.acme.test"), 20_000);
  expect(await publishesWithoutSni(port, root)).toBe(true);
  await sluice.stop();
}, 40_000);

test("without keyType a renewal keeps the kind of key that the stored certificate has", async () => {
  const { storage, start } = await authority({ validitySeconds: 12 });
  const dynamic = `tcp:\n  routers:\n    r: { rule: "HostSNI(\`kind.acme.test\`)", service: broker, tls: { certResolver: le } }\n${services}`;
  const stored = () => {
    if (!existsSync(storage) || readFileSync(storage).length === 0) return null;
    const read = new AcmeStorage(storage).read("le");
    const pem = read.kind === "ok" ? read.value.certificates[0]?.certificate : undefined;
    return pem === undefined ? null : new X509Certificate(pem);
  };
  const first = await start(dynamic, "      keyType: RSA2048\n");
  await first.logged("the certificate has come");
  const obtained = stored()!;
  expect(obtained.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  await first.stop();
  const second = await start(dynamic);
  await second.logged("the certificate has come");
  const renewed = stored()!;
  expect(renewed.serialNumber).not.toBe(obtained.serialNumber);
  expect(renewed.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  await second.stop();
}, 60_000);
