// What the system says of our processes (proc(5)).

import { readdirSync, readFileSync } from "node:fs";

/** The kernel's clock ticks per second in /proc/PID/stat; 100 on every Linux that Bun runs on. */
const CLOCK_TICKS = 100;
const PAGE_BYTES = 4096;
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

interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly openFds: number;
  readonly maxFds: number;
}

/** null when it is gone, or the system has no /proc. */
export function readProcess(pid: number): ProcessFigures | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command may hold anything; what is wanted stands behind its closing bracket (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS,
      residentBytes: Number(fields[21]) * PAGE_BYTES,
      openFds: readdirSync(`/proc/${pid}/fd`).length,
      maxFds: descriptorLimit(pid),
    };
  } catch {
    return null;
  }
}
