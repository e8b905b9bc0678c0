// What the system says of our processes (proc(5)).

import { openSync, readdirSync, readFileSync, readSync } from "node:fs";

/** The kernel's clock ticks per second in /proc/PID/stat; 100 on every Linux that Bun runs on. */
const CLOCK_TICKS = 100;
const PAGE_BYTES = 4096;
/** What POSIX systems commonly allow where /proc does not say. */
const ASSUMED = 1024;

/** The soft limit (RLIMIT_NOFILE) of a process, which its children inherit; without `pid` of this one. */
export function descriptorLimit(pid: number | "self" = "self"): number {
  try {
    return softLimit(readFileSync(`/proc/${pid}/limits`, "utf8"));
  } catch {
    return ASSUMED;
  }
}

function softLimit(limits: string): number {
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? ASSUMED);
}

/** Reads the soft limit of this process again and again, also when there is no descriptor left to open a file with. */
export function ownDescriptorLimit(): () => number {
  let fd: number;
  try {
    fd = openSync("/proc/self/limits", "r");
  } catch {
    return () => ASSUMED;
  }
  const bytes = Buffer.alloc(4096);
  return () => softLimit(bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0)));
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
