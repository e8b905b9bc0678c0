// `lifeCycle` of the static configuration: what becomes of the processes that served before an upgrade.

import { z } from "zod";
import { duration, field } from "./field.ts";

/** Each is a master and its workers, some 30 MB and more. */
const MOST_OLD = 100;

export const lifeCycle = z.object({
  drainTimeout: field(
    "How long connections of before an upgrade may go on. Then those that are left are closed.",
    duration(0).default(24 * 3600 * 1000),
    { example: "1h" },
  ),
  spread: field(
    "Closes so many of them in a second, all their workers together. Which ones is left to chance.",
    z.number().int().min(1).max(100_000).optional(),
    {
      unit: "connections a second",
      otherwise: "none is closed before `drainTimeout` is over",
      example: 50,
    },
  ),
  oldGenerations: field(
    "How many generations of processes may have connections beside the newest. When an upgrade would make it more, the connections of the one that has the fewest are closed, one after another over the `graceTimeOut` of its entry points.",
    z.number().int().min(1).max(MOST_OLD).default(4),
    { unit: "generations", example: 10 },
  ),
  startTimeout: field(
    "How long the new processes may take until they serve. Then they are ended, and those that served before go on.",
    duration(1, "must be longer than 0").default(60_000),
    { example: "3m" },
  ),
  pidFile: field(
    "A file with the process ID of the master that serves. `sluice upgrade` finds it there. It is written anew after each upgrade, and removed at the end.",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "none", example: "/run/sluice/sluice.pid" },
  ),
});

export type LifeCycleConfig = z.output<typeof lifeCycle>;
