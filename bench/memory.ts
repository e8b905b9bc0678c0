// Resident memory of a process tree, from the kernel's own sums.
import { readFileSync } from "node:fs";
import { processTree } from "./proc.ts";

/** RSS counts a page once per process that maps it; PSS shares it out, so it is the fair sum over forked workers. */
interface Memory {
  rss: number;
  pss: number;
}

/** RSS and PSS of `pid` and everything below it, in kB. */
export function memoryOfTree(pid: number): Memory {
  const sum: Memory = { rss: 0, pss: 0 };
  for (const member of processTree(pid)) {
    try {
      const text = readFileSync(`/proc/${member}/smaps_rollup`, "utf8");
      sum.rss += Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
      sum.pss += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
    } catch {
      // it ended meanwhile
    }
  }
  return sum;
}
