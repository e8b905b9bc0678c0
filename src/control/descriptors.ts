// How many descriptors a process of ours may open.

import { readFileSync } from "node:fs";

/** What POSIX systems commonly allow where /proc does not say. */
const ASSUMED = 1024;

/** The soft limit (RLIMIT_NOFILE) of this process, which its children inherit. */
export function descriptorLimit(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return match === null ? ASSUMED : Number(match[1]);
  } catch {
    return ASSUMED;
  }
}
