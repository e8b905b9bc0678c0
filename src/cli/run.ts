// sluice run: the proxy itself, until SIGTERM or SIGINT. SIGHUP reloads.

import { developmentFiles } from "../certs/authority.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { Master, type Started } from "../control/master.ts";
import { StartError } from "../control/start-error.ts";
import { formatOf } from "../observe/log.ts";
import { count } from "../text/words.ts";
import { VERSION } from "../version.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import { TERMINAL } from "./terminal.ts";

export async function run(given: Given): Promise<void> {
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, TERMINAL);
    notStarted();
  }
  try {
    await serve(new Master(config), config, diagnostics);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    notStarted();
  }
}

/** @throws StartError when it cannot start. */
async function serve(master: Master, config: StaticConfig, diagnostics: Diagnostics): Promise<void> {
  let phase: "starting" | "running" | "stopping" = "starting";
  const end = (code: number, last: Promise<void>) => void last.then(() => process.exit(code));
  /** While it starts there is nothing to finish; who says it again does not want to wait. */
  const stop = () => {
    if (phase === "stopping") {
      master.kill();
      process.exit(1);
    }
    if (phase === "starting") master.kill();
    end(0, phase === "starting" ? master.flush() : master.stop());
    phase = "stopping";
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", once(stop));
  process.on("SIGHUP", () => {
    if (phase === "running") master.reload();
  });
  process.on("SIGUSR1", () => master.reopenLogs());
  const isStopping = () => phase === "stopping";
  try {
    const started = await master.start(diagnostics);
    if (isStopping()) return;
    phase = "running";
    if (formatOf(config.log) === "common") master.print(banner(config, started));
  } catch (error) {
    if (isStopping()) return;
    master.kill();
    await master.flush();
    throw error;
  }
}

/** A terminal and a program such as npm, which hands it on, both send the SIGINT of one Control-C. Milliseconds. */
const SAME_SIGNAL_MS = 500;

/** `action`, but not again for the same key. */
function once(action: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - last < SAME_SIGNAL_MS) return;
    last = now;
    action();
  };
}

/** The last line of a start that failed, behind what is wrong. */
function notStarted(): never {
  console.error("sluice: not started");
  process.exit(1);
}

/** What listens where, which routes are live, and how to try it. */
function banner(config: StaticConfig, started: Started): string {
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
  lines.push(...tryIt(config, started));
  return lines.join("\n");
}

const MAX_ROUTERS = 20;

/** The two lines to copy, where there is a development certificate to try with. */
function tryIt(config: StaticConfig, started: Started): string[] {
  const point = started.entryPoints.find((each) => !each.admin);
  if (config.developmentCertificate === undefined || point === undefined) return [];
  const port = point.address.slice(point.address.lastIndexOf(":") + 1);
  const common = `-h localhost -p ${port} --cafile ${developmentFiles(config.developmentCertificate.directory).caCert} -t hello`;
  return [
    "",
    "Try it, in two other terminals, here:",
    "",
    `  mosquitto_sub ${common}`,
    `  mosquitto_pub ${common} -m world`,
    "",
  ];
}
