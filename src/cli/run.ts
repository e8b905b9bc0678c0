// sluice run: the proxy itself, until SIGTERM or SIGINT. SIGHUP reloads.

import { developmentFiles } from "../certs/authority.ts";
import type { StaticConfig } from "../config/static.ts";
import { Master, type Started } from "../control/master.ts";
import { StartError } from "../control/start-error.ts";
import { defaultFormat } from "../observe/log.ts";
import { count } from "../text/words.ts";
import { VERSION } from "../version.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import { TERMINAL } from "./terminal.ts";

export async function run(given: Given): Promise<void> {
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, TERMINAL);
    process.exit(1);
  }
  const master = new Master(config);
  let phase: "starting" | "running" | "stopping" = "starting";
  const stop = () => {
    if (phase !== "running") {
      master.kill();
      // While it starts there is nothing to finish.
      process.exit(phase === "starting" ? 0 : 1);
    }
    phase = "stopping";
    void master.stop().then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", () => {
    if (phase === "running") master.reload();
  });
  try {
    const started = await master.start(diagnostics);
    phase = "running";
    if ((config.log.format ?? defaultFormat()) === "common") console.log(banner(config, started));
  } catch (error) {
    master.kill();
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
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
