// sluice upgrade: asks a running Sluice to start new processes, which follow the old ones, and says what came of it.

import { statSync } from "node:fs";
import { readPidFile } from "../control/pid-file.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

const POLL_MS = 100;
/** Beyond lifeCycle.startTimeout. */
const PATIENCE_MS = 5000;

export interface UpgradeOptions {
  readonly pid?: string;
  readonly pidFile?: string;
}

/** @returns the exit code: 0 when new processes serve, or, where nothing tells, when they were asked for. */
export async function upgrade(given: Given, { pid, pidFile }: UpgradeOptions, terminal: Terminal): Promise<number> {
  if (pid !== undefined) {
    const number = Number(pid);
    if (!Number.isSafeInteger(number) || number < 1) return say(terminal, `--pid must be a process ID, not '${pid}'`);
    if (!signal(number, terminal)) return 1;
    terminal.log(`asked process ${number}: its log says what comes of it`);
    return 0;
  }
  const { config, diagnostics } = readStatic(given);
  const path = pidFile ?? config?.lifeCycle.pidFile;
  if (config === null && path === undefined) {
    printDiagnostics(diagnostics, terminal);
    return 1;
  }
  if (path === undefined)
    return say(terminal, "which process? Give --pid or --pidFile, or set lifeCycle.pidFile and restart once");
  const running = readPidFile(path);
  if (running === null) return say(terminal, `${path} names no process: is Sluice running?`);
  const before = written(path);
  if (!signal(running, terminal)) return 1;
  const until = performance.now() + (config?.lifeCycle.startTimeout ?? 60_000) + PATIENCE_MS;
  while (performance.now() < until) {
    await Bun.sleep(POLL_MS);
    const now = readPidFile(path);
    if (now !== null && now !== running) {
      terminal.log(`process ${now} serves; ${running} goes on with the connections that it had`);
      return 0;
    }
    // It is written anew where the new processes could not be started.
    if (now === running && written(path) !== before)
      return say(terminal, "the new processes could not be started, and the old ones go on: the log says why");
    if (now === null) return say(terminal, `${path} is gone: Sluice has ended`);
  }
  return say(terminal, `process ${running} has not answered: see its log`);
}

/** Which writing of the file it is. */
function written(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.ino} ${stat.mtimeNs}`;
}

function signal(pid: number, terminal: Terminal): boolean {
  try {
    process.kill(pid, "SIGUSR2");
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ESRCH" ? "it does not run" : code === "EPERM" ? "it is another user's" : String(code);
    say(terminal, `process ${pid} cannot be asked: ${why}`);
    return false;
  }
}

function say(terminal: Terminal, message: string): 1 {
  terminal.error(message);
  return 1;
}
