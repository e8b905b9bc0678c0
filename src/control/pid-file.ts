// The file that says which process to send signals to: `sluice upgrade` and scripts read it.

import { accessSync, constants, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { describeError } from "../system/errors.ts";
import { replaceFile } from "../system/replace-file.ts";
import { StartError } from "./start-error.ts";

const MODE = 0o644;

/** @throws StartError when it could not be written. */
export function provePidFile(path: string | undefined): void {
  if (path === undefined) return;
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw new StartError(`lifeCycle.pidFile: cannot write to ${path}: ${describeError(error)}`);
  }
}

/** Says that this process serves. Again when one that should follow could not: who waits sees that it was written. @throws the system's error */
export function writePidFile(path: string): void {
  replaceFile(path, `${process.pid}\n`, MODE);
}

/** null: there is none, or no process is named in it. */
export function readPidFile(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, "utf8").trim());
    return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

/** Another process's stays. */
export function removePidFile(path: string): void {
  if (readPidFile(path) === process.pid) rmSync(path, { force: true });
}
