// sluice run: the proxy itself, until SIGTERM or SIGINT. SIGHUP reloads, SIGUSR2 upgrades.

import { type Diagnostics, formatDiagnostic } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { Master } from "../control/master.ts";
import { Predecessor } from "../control/predecessor.ts";
import { StartError } from "../control/start-error.ts";
import { formatOf } from "../observe/log.ts";
import { takeInherited } from "../system/inherited.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import { TERMINAL } from "./terminal.ts";

export async function run(given: Given): Promise<void> {
  // Before the configuration is read, which has variables too.
  const inherited = takeInherited(process.env);
  let predecessor: Predecessor | null = null;
  try {
    predecessor = await Predecessor.find(process.env);
    const { config, diagnostics } = readStatic(given);
    if (config === null) {
      const errors = diagnostics.list.filter(({ severity }) => severity === "error");
      predecessor?.failed(errors.map(formatDiagnostic).join("\n"));
      printDiagnostics(diagnostics, TERMINAL);
      notStarted();
    }
    const end = (code: number) => void master.flush().then(() => process.exit(code));
    const readAgain = () => readStatic(given);
    const args = process.argv.slice(2);
    const master: Master = new Master(config, { inherited, predecessor, arguments: args, readStatic: readAgain, end });
    await serve(master, config, diagnostics);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    predecessor?.failed(error.message);
    console.error(error.message);
    notStarted();
  }
}

/** @throws StartError when it cannot start. */
async function serve(master: Master, config: StaticConfig, diagnostics: Diagnostics): Promise<void> {
  let phase: "starting" | "running" | "stopping" = "starting";
  const end = (code: number, last: Promise<void>) => void last.then(() => process.exit(code));
  /** While it starts there is nothing to finish; who says it again does not want to wait. */
  const stop = (signal: "SIGTERM" | "SIGINT") => {
    // It is for the one that serves now, each time.
    if (master.isOld) return void master.stop(signal);
    if (phase === "stopping") {
      master.kill();
      process.exit(1);
    }
    if (phase === "starting") master.kill();
    end(0, phase === "starting" ? master.flush() : master.stop());
    phase = "stopping";
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on(
    "SIGINT",
    once(() => stop("SIGINT")),
  );
  process.on("SIGHUP", () => {
    if (phase === "running") void master.reload();
  });
  process.on("SIGUSR1", () => master.reopenLogs());
  process.on("SIGUSR2", () => {
    if (phase === "running") void master.upgrade();
  });
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
