// What `run` prints for people when it is ready: what listens where, which routes are live, how to try it, and which file is next.

import { lookup } from "node:dns/promises";
import { readdirSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { developmentFiles } from "../authority/development-files.ts";
import { parseHostPort } from "../config/scalars.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Started } from "../control/master.ts";
import { count } from "../text/words.ts";
import { VERSION } from "../version.ts";

const MAX_ROUTERS = 20;
/** How long a name may take to resolve before the hint about it is given. Milliseconds. */
const LOOKUP_MS = 500;

export async function banner(config: StaticConfig, started: Started): Promise<string> {
  const lines = [`Sluice ${VERSION}, ${count(started.workers, "worker")}, is ready.`, ""];
  for (const point of started.entryPoints) {
    const served = [
      config.metrics.prometheus?.entryPoint === point.name && "/metrics",
      config.ping?.entryPoint === point.name && "/ping",
    ].filter(Boolean);
    lines.push(
      `  ${point.name.padEnd(10)} ${point.address.padEnd(22)} ${point.admin ? `http: ${served.join(" ")}` : "MQTT"}`,
    );
  }
  if (started.broker !== null)
    lines.push(
      `  ${"broker".padEnd(10)} ${started.broker.padEnd(22)} embedded, MQTT 3.1 and 3.1.1 (not 5), for trying out`,
    );
  lines.push("");
  const shown = started.routers.slice(0, MAX_ROUTERS);
  for (const router of shown)
    lines.push(
      `  ${router.action.padEnd(12)} ${router.rule}  on ${router.entryPoints.join(", ")}  to ${router.service || "nothing"}`,
    );
  if (shown.length < started.routers.length)
    lines.push(`  ... and ${started.routers.length - shown.length} more routers`);
  if (started.routers.length === 0) lines.push("  no routers: every connection is refused");
  lines.push(...(await tryIt(config, started)));
  return lines.join("\n");
}

/** The two lines to copy, where there is a development certificate to try with, and what to do next. */
async function tryIt(config: StaticConfig, started: Started): Promise<string[]> {
  const { developmentCertificate } = config;
  if (developmentCertificate === undefined) return [];
  const { names, directory } = developmentCertificate;
  const next = [
    "",
    `Next: your routes and certificates in ${dynamicFile(config)}, which is read when it is saved; the rest in ${config.file}.`,
    "",
  ];
  const door = doorOf(names, started);
  if (door === null)
    return ["", `No router terminates TLS for a name of the development certificate (${names.join(", ")}).`, ...next];
  const { name, address } = door;
  const port = address.slice(address.lastIndexOf(":") + 1);
  const common = `-h ${name} -p ${port} --cafile ${quoted(developmentFiles(directory).caCert)} -t hello`;
  return [
    "",
    "Try it, in two other terminals, here:",
    "",
    `  mosquitto_sub ${common}`,
    `  mosquitto_pub ${common} -m world`,
    ...(await hintFor(name, address)),
    ...next,
  ];
}

/** A name of the certificate that a terminating router takes, and where. Clients send no server name for an IP address. */
function doorOf(names: readonly string[], { routers, entryPoints }: Started): { name: string; address: string } | null {
  for (const name of names)
    for (const { action, rule, entryPoints: points } of routers) {
      const takes =
        rule.includes("HostSNI(`*`)") || (isIP(name) === 0 && rule.toLowerCase().includes(`\`${name.toLowerCase()}\``));
      const point = entryPoints.find((each) => !each.admin && points.includes(each.name));
      if (action === "terminate" && takes && point !== undefined) return { name, address: point.address };
    }
  return null;
}

/** What to do where a name does not lead to the entry point. */
async function hintFor(name: string, address: string): Promise<string[]> {
  const parsed = parseHostPort(address.replace(/^\*/, ""));
  const host = parsed.kind === "ok" && parsed.host !== "" ? parsed.host : "127.0.0.1";
  const isHere = (found: string) => found === host || (host === "127.0.0.1" && found === "::1");
  if (isIP(name) !== 0) return [];
  const found = await Promise.race([lookup(name, { all: true }).catch(() => []), Bun.sleep(LOOKUP_MS).then(() => [])]);
  if (found.some((each) => isHere(each.address))) return [];
  return ["", `${name} must lead here for that: put the line  ${host} ${name}  into /etc/hosts.`];
}

/** Where routes are: the directory, or the file in it when there is only one. */
function dynamicFile({ providers, file }: StaticConfig): string {
  const { directory, filename } = providers.file ?? {};
  if (directory === undefined) return filename ?? file;
  let names: string[] = [];
  try {
    names = readdirSync(directory).filter((name) => /^[^.].*\.ya?ml$/i.test(name));
  } catch {} // its provider has said so
  return names.length === 1 ? join(directory, names[0]!) : directory;
}

function quoted(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
