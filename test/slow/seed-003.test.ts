// A configuration from the wild (Rhasspy Mobile's guide for MQTT behind Traefik) loads as it stands; what cannot work in it is said,
// with the fix; and with the fix a message passes.

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "../support/command.ts";
import { canConnect, Mosquitto } from "../support/mosquitto.ts";
import { Pebble } from "../support/pebble.ts";
import { SLUICE } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const [staticText, dynamicText] = yamlBlocks(resolve(import.meta.dir, "../fixtures/seeds/003.md"));
const NAME = "your.dns.example";

/** The texts of the two YAML blocks, without the indentation of the list they stand in. */
function yamlBlocks(file: string): [string, string] {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)].map(([, indent, text]) =>
    text!.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
  if (blocks.length !== 2) throw new Error(`${file}: ${blocks.length} YAML blocks`);
  return blocks as [string, string];
}

/** Replaces text that must be there. */
function replace(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

/** The two files in a directory of their own; only the paths are others. */
function laidOut(dynamic = dynamicText) {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "dyn"));
  writeFileSync(join(directory, "dyn/dynamic.yml"), dynamic);
  const moved = replace(staticText, "/etc/traefik/dyn/", join(directory, "dyn/"));
  writeFileSync(join(directory, "traefik.yml"), replace(moved, "/letsencrypt/acme.json", join(directory, "acme.json")));
  return directory;
}

/** Also other ports, so that any user can listen on them. */
async function onFreePorts(directory: string): Promise<{ mqtts: number; https: number; http: number }> {
  const file = join(directory, "traefik.yml");
  let text = readFileSync(file, "utf8");
  const ports = { mqtts: await freePort(), https: await freePort(), http: await freePort() };
  for (const [from, to] of [
    [":http", ports.http],
    [":https", ports.https],
    [":8883", ports.mqtts],
  ])
    text = replace(text, `"${from}"`, `":${to}"`);
  writeFileSync(file, text);
  return ports;
}

const PASSTHROUGH =
  'the router "mqtt" passes TLS through to 127.0.0.1:1883, and 1883 is the port of plain MQTT: no client can connect. Drop "passthrough: true" to terminate TLS here';

test("check finds no error in the two files, and warns of what cannot work with the fix", async () => {
  const directory = laidOut();
  const checked = await exec([SLUICE, "check", "--configFile=traefik.yml"], { cwd: directory });
  expect(checked).toEqual({
    code: 0,
    stdout: "0 errors, 1 warning\n",
    stderr: `${directory}/dyn/dynamic.yml:7:9: warning: ${PASSTHROUGH} [passthrough-to-plain]\n`,
  });
});

test("run starts with the two files and logs the same warning, and that the authority must reach it", async () => {
  const directory = laidOut();
  const { mqtts } = await onFreePorts(directory);
  const sluice = new Command(["--configFile=traefik.yml"], { cwd: directory });
  await waitFor("Sluice to listen", () => canConnect("127.0.0.1", mqtts));
  await sluice.printed(PASSTHROUGH.replaceAll('"', '\\"'));
  const warned = sluice.stdout.split("\n").filter((line) => line.includes('"level":"warn"'));
  expect(warned.map((line) => JSON.parse(line).msg.replace(/^\S+ warning: /, "")).slice(0, 2)).toEqual([
    expect.stringMatching(/^the authority connects to port 443 for tlsChallenge, and no entry point listens there/),
    PASSTHROUGH,
  ]);
  expect(await sluice.stop()).toBe(0);
});

test("with the fix and its resolver named, it gets a certificate and a message goes from mosquitto_pub to mosquitto_sub", async () => {
  const broker = await Mosquitto.start();
  const fixed = replace(
    replace(dynamicText, "\n        passthrough: true", "\n        certResolver: myresolver"),
    "port: 1883",
    `port: ${broker.port}`,
  );
  const directory = laidOut(fixed);
  const { mqtts, https, http } = await onFreePorts(directory);
  const pebble = await Pebble.start({ tlsPort: https, httpPort: http });
  const file = join(directory, "traefik.yml");
  const asked = `acme:\n      caServer: ${pebble.directory}\n      caCertificates: ${pebble.ca}`;
  writeFileSync(file, replace(readFileSync(file, "utf8"), "acme:", asked));
  const sluice = new Command(["--configFile=traefik.yml"], { cwd: directory });
  await sluice.printed("the certificate has come");
  const root = join(directory, "root.pem");
  writeFileSync(root, await pebble.root());

  // mosquitto_pub asks for the name that it connects to, so the name has to lead here.
  writeFileSync(join(directory, "hosts"), `127.0.0.1 ${NAME}\n`);
  const isolate = ["unshare", process.getuid?.() === 0 ? "-m" : "-rm"];
  const client = (...args: string[]) =>
    exec([
      ...[...isolate, "sh", "-c", `mount --bind ${directory}/hosts /etc/hosts && exec "$@"`, "sh"],
      ...[...args, "-h", NAME, "-p", String(mqtts), "--cafile", root, "-t", "rhasspy/hello"],
    ]);
  await waitFor(
    "the certificate to be in use",
    async () => (await client("mosquitto_pub", "-m", "turn on the light", "-q", "1", "-r")).code === 0,
  );
  expect(await client("mosquitto_sub", "-C", "1", "-W", "10")).toEqual({
    code: 0,
    stdout: "turn on the light\n",
    stderr: "",
  });
  expect(sluice.stdout).not.toContain("passes TLS through");
  expect(await sluice.stop()).toBe(0);
});
