// What a master and a worker take of memory when they have started and nobody is there yet. Private memory does not depend on who else runs:
// it is what a process has written, without the pages of the program itself.

import { test } from "bun:test";
import { echoEdge } from "../support/echo.ts";
import { builtExecutable } from "../support/executable.ts";
import { privateMb } from "../support/proc.ts";
import { BIN_SLUICE, Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

/**
 * Megabytes. Measured: 9.5 and 35 from source, 7.5 and 24 compiled, 36 in some runs where the master keeps what it read certificates with.
 * Each library that comes back into a worker takes 1 to 5. An idle Bun takes 2.5.
 */
const BUDGETS = {
  source: { program: async () => BIN_SLUICE, worker: 12, together: 42 },
  compiled: { program: builtExecutable, worker: 9, together: 38 },
};

for (const [how, { program, worker, together }] of Object.entries(BUDGETS))
  test(`${how}: a worker takes less than ${worker} MB of its own, master and worker less than ${together}`, async () => {
    const sluice = await Sluice.start({ dynamic, program: await program() });
    const [pid] = sluice.workers;
    await waitFor("the worker to be small", () => privateMb(pid!) < worker);
    // The master gives back what the start has left a few seconds after it.
    await waitFor("the master to give memory back", () => privateMb(sluice.masterPid) + privateMb(pid!) < together);
    await sluice.kill();
  }, 120_000);
