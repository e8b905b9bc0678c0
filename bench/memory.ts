// Memory of processes, from the kernel's own sums.
import { readFileSync } from "node:fs";
import { processTree } from "./proc.ts";

/**
 * In kB. RSS counts a page once per process that maps it; PSS shares it out, so it is the fair sum over forked workers. Private is what the
 * process has written: what it takes beside the program itself, whose pages the kernel can drop and read again.
 */
export interface Memory {
  rss: number;
  pss: number;
  private: number;
}

/** Of one process; zeros when it has ended. */
export function memoryOf(pid: number): Memory {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
    return { rss: of("Rss"), pss: of("Pss"), private: of("Private_Dirty") };
  } catch {
    return { rss: 0, pss: 0, private: 0 };
  }
}

/** Of `pid` and everything below it. */
export function memoryOfTree(pid: number): Memory {
  const sum: Memory = { rss: 0, pss: 0, private: 0 };
  for (const member of processTree(pid)) {
    const memory = memoryOf(member);
    for (const name of ["rss", "pss", "private"] as const) sum[name] += memory[name];
  }
  return sum;
}
