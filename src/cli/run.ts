// sluice run: the proxy itself, until SIGTERM or SIGINT. SIGHUP reloads.

import type { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { Master } from "../control/master.ts";
import { StartError } from "../control/start-error.ts";
import { formatOf } from "../observe/log.ts";
import { takeInherited } from "../system/inherited.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import { TERMINAL } from "./terminal.ts";

export async function run(given: Given): Promise<void> {
  // Before the configuration is read, which has variables too.
  const inherited = takeInherited(process.env);
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, TERMINAL);
    notStarted();
  }
  try {
    await serve(new Master(config, inherited), config, diagnostics);
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
    if (formatOf(config.log) === "common") {
      const { banner } = await import("./banner.ts");
      master.print(await banner(config, started));
    }
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
