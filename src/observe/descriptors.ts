// How many descriptors a process of ours may open.

import { readFileSync } from "node:fs";

/** What POSIX systems commonly allow where /proc does not say. */
const ASSUMED = 1024;

/** The soft limit (RLIMIT_NOFILE) of a process, which its children inherit; without `pid` of this one. */
export function descriptorLimit(pid: number | "self" = "self"): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    return match === null ? ASSUMED : Number(match[1]);
  } catch {
    return ASSUMED;
  }
}
