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

/** What a process is doing, as its main thread's state in the kernel says it. */
export interface Standing {
  /** As in proc(5): R runs, S sleeps, D cannot be interrupted, T is stopped, t is traced. */
  readonly state: string;
  /** Where in the kernel it waits, and how it came there, as far as the system tells. */
  readonly kernel: readonly string[];
}

/** How many frames say enough. */
const MAX_FRAMES = 6;

/** null when it is gone, or the system has no /proc. */
export function standingOf(pid: number): Standing | null {
  const state = /^State:\s+(\w)/m.exec(readOr(`/proc/${pid}/status`, ""))?.[1];
  if (state === undefined) return null;
  // The stack is for root alone, the name of the place for the same user; "0" is no place.
  const stack = [...readOr(`/proc/${pid}/stack`, "").matchAll(/^\[<\w+>\] (\w+)/gm)].map((frame) => frame[1]!);
  const place = readOr(`/proc/${pid}/wchan`, "0").trim();
  return { state, kernel: stack.length > 0 ? stack.slice(0, MAX_FRAMES) : place === "0" ? [] : [place] };
}

/** How long the main thread of a process was ready to run and had no processor so far, in milliseconds; null where that is not told. */
export function waitedForCpu(pid: number): number | null {
  const nanoseconds = Number(readOr(`/proc/${pid}/schedstat`, "").split(" ")[1]);
  return Number.isNaN(nanoseconds) ? null : nanoseconds / 1e6;
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
