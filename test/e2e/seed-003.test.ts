// A configuration from the wild (Rhasspy Mobile's guide for MQTT behind Traefik) loads as it stands; what cannot work in it is said,
// with the fix; and with the fix a message passes.

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Authority } from "../support/certs.ts";
import { Command } from "../support/command.ts";
import { canConnect, Mosquitto } from "../support/mosquitto.ts";
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

/** The two files in a directory of their own; only the path is another one. */
function laidOut(dynamic = dynamicText) {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "dyn"));
  writeFileSync(join(directory, "dyn/dynamic.yml"), dynamic);
  writeFileSync(join(directory, "traefik.yml"), replace(staticText, "/etc/traefik/dyn/", join(directory, "dyn/")));
  return directory;
}

/** Also other ports, so that any user can listen on them. */
async function onFreePorts(directory: string): Promise<number> {
  const file = join(directory, "traefik.yml");
  let text = readFileSync(file, "utf8");
  const port = await freePort();
  for (const [from, to] of [
    [":http", await freePort()],
    [":https", await freePort()],
    [":8883", port],
  ])
    text = replace(text, `"${from}"`, `":${to}"`);
  writeFileSync(file, text);
  return port;
}

const ACME =
  "certificatesResolvers (ACME) is not built into Sluice yet: routers with a certResolver use the certificates of the files, or the default one";
const PASSTHROUGH =
  'the router "mqtt" passes TLS through to 127.0.0.1:1883, and 1883 is the port of plain MQTT: no client can connect. Drop "passthrough: true" to terminate TLS here';

test("check finds no error in the two files, and warns of what cannot work with the fix", async () => {
  const directory = laidOut();
  const checked = await exec([SLUICE, "check", "--configFile=traefik.yml"], { cwd: directory });
  expect(checked).toEqual({
    code: 0,
    stdout: "0 errors, 2 warnings\n",
    stderr: `traefik.yml:9:1: warning: ${ACME}\n${directory}/dyn/dynamic.yml:7:9: warning: ${PASSTHROUGH}\n`,
  });
});

test("run starts with the two files and logs the same warnings", async () => {
  const directory = laidOut();
  const port = await onFreePorts(directory);
  const sluice = new Command(["--configFile=traefik.yml"], { cwd: directory });
  await waitFor("Sluice to listen", () => canConnect("127.0.0.1", port));
  await sluice.printed(PASSTHROUGH.replaceAll('"', '\\"'));
  const warned = sluice.stdout.split("\n").filter((line) => line.includes('"level":"warn"'));
  expect(warned.map((line) => JSON.parse(line).msg.replace(/^\S+ warning: /, "")).slice(0, 2)).toEqual([
    ACME,
    PASSTHROUGH,
  ]);
  expect(await sluice.stop()).toBe(0);
});

test("with the fix, a message goes from mosquitto_pub to mosquitto_sub", async () => {
  const broker = await Mosquitto.start();
  const fixed = replace(
    replace(dynamicText, "\n        passthrough: true", " {}"),
    "port: 1883",
    `port: ${broker.port}`,
  );
  const directory = laidOut(fixed);
  const port = await onFreePorts(directory);
  // The guide leaves the certificate to ACME; here it is a file.
  const authority = await Authority.create();
  const pair = await authority.issue({ names: [NAME] });
  writeFileSync(
    join(directory, "dyn/tls.yml"),
    `tls:\n  certificates:\n    - certFile: ${pair.cert}\n      keyFile: ${pair.key}\n`,
  );
  const sluice = new Command(["--configFile=traefik.yml"], { cwd: directory });
  await waitFor("Sluice to listen", () => canConnect("127.0.0.1", port));

  // mosquitto_pub asks for the name that it connects to, so the name has to lead here.
  writeFileSync(join(directory, "hosts"), `127.0.0.1 ${NAME}\n`);
  const isolate = ["unshare", process.getuid?.() === 0 ? "-m" : "-rm"];
  const client = (...args: string[]) =>
    exec([
      ...[...isolate, "sh", "-c", `mount --bind ${directory}/hosts /etc/hosts && exec "$@"`, "sh"],
      ...[...args, "-h", NAME, "-p", String(port), "--cafile", authority.cert, "-t", "rhasspy/hello"],
    ]);
  expect(await client("mosquitto_pub", "-m", "turn on the light", "-q", "1", "-r")).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect(await client("mosquitto_sub", "-C", "1", "-W", "10")).toEqual({
    code: 0,
    stdout: "turn on the light\n",
    stderr: "",
  });
  expect(sluice.stdout).not.toContain("passes TLS through");
  expect(await sluice.stop()).toBe(0);
});
