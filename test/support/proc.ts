// What a process holds: memory and descriptors, from /proc.

import { readdirSync, readFileSync } from "node:fs";

/** Kilobytes. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}

/** What it has written, which no other process shares. Megabytes. */
export function privateMb(pid: number): number {
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) / 1024;
}

export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** CPU time of the process so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** The processes of which `matches` is true. Without a program of its own, which takes ten times as much of the CPU. */
export function processes(matches: (process: { parent: number; session: number }) => boolean): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (Number.isNaN(pid)) return false;
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        // State, parent, group, session; the name before may have spaces.
        const [, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return matches({ parent: Number(parent), session: Number(session) });
      } catch {
        return false; // it is gone
      }
    });
}

export const childrenOf = (pid: number): number[] => processes(({ parent }) => parent === pid);
