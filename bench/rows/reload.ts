// Row 8: a reload every second under load, against the same load without.
import { Pingers } from "./pings.ts";
import type { Row, Sample } from "./row.ts";

/** Reloads per repetition, one a second; the quiet half is as long. Too slow for --quick. */
const RELOADS = 3;

/** Reload numbers differ over the whole run, so that each changes something. */
let round = 0;

/** Row 8. */
export const reload: Row = {
  id: "reload",
  title: "a reload every second under load",
  mode: "terminate",
  key: "p256",
  fresh: false,
  slow: true,
  can: (peer) => peer.reloads === true,
  // Six seconds each: the others can be asked for.
  usually: ["haproxy", "sluice", "nginx"],
  metrics: {
    p99: { unit: "µs with reloads", better: "lower", primary: true },
    max: { unit: "µs with reloads", better: "lower" },
    quietP99: { unit: "µs without", better: "lower" },
    quietMax: { unit: "µs without", better: "lower" },
    cpu: { unit: "ms CPU per reload", better: "lower" },
  },
  warmUp: async (subject) => {
    const pingers = await Pingers.open(subject);
    await pingers.during(() => Bun.sleep(500));
    await pingers.close();
  },
  measure: async (subject): Promise<Sample> => {
    const { bench, running } = subject;
    const pingers = await Pingers.open(subject);
    const quiet = await bench.measure(running, () => pingers.during(() => Bun.sleep(RELOADS * 1000)), 0);
    const loud = await bench.measure(
      running,
      () =>
        pingers.during(async () => {
          for (let i = 0; i < RELOADS; i++) {
            await running.reload!(++round);
            await Bun.sleep(1000);
          }
        }),
      0,
    );
    // Workers that were replaced by a reload end when these have left.
    await pingers.close();
    await bench.backendEmpty();
    const { p99, max } = loud.value.pings;
    const { p99: quietP99, max: quietMax } = quiet.value.pings;
    const cpu = (loud.cpu - quiet.cpu) / RELOADS / 1000;
    return { figures: { p99, max, quietP99, quietMax, cpu }, flags: loud.flags };
  },
};
