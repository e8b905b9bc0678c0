// The first process of a container is the parent of all whose parent has ended, and must ask for their end: until then their numbers are
// taken. The runtime asks only for children that it has started itself.

import { readdirSync, readFileSync } from "node:fs";
import { libc } from "./libc.ts";

const WNOHANG = 1;

export class Orphans {
  /** Ended processes that were there the last time: the runtime's own are gone by then. */
  #seen: ReadonlySet<number> = new Set();

  /** Lets go of children that had ended when this was last called. To be called every few seconds. */
  reap(): void {
    const ended = new Set(endedChildren());
    for (const pid of ended) if (this.#seen.has(pid)) libc().waitpid(pid, null, WNOHANG);
    this.#seen = ended;
  }
}

function* endedChildren(): Iterable<number> {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" && Number(parent) === process.pid) yield Number(name);
    } catch {} // it is gone
  }
}
