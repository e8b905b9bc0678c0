// Row 6: every idle connection is lost at once and dials again at once, while twenty others ping.
import { readFileSync } from "node:fs";
import { usual } from "../stats.ts";
import { Pingers } from "./pings.ts";
import type { Row, Sample } from "./row.ts";

/** How long the pings are watched without a storm, for comparison. */
const QUIET_MS = { full: 500, quick: 250 };

/** How often the kernel had no room in any listener's backlog; a SYN that is dropped comes again after 1 s. */
function listenOverflows(): number {
  const lines = readFileSync("/proc/net/netstat", "utf8").split("\n");
  const at = lines.findIndex((line) => line.startsWith("TcpExt:"));
  const column = lines[at]!.split(" ").indexOf("ListenOverflows");
  return Number(lines[at + 1]!.split(" ")[column]);
}

/** Row 6. The observer pings; the first generator holds the idle connections and loses them. */
export const storm: Row = {
  id: "storm",
  title: "reconnect storm of the idle connections, 20 others ping",
  mode: "terminate",
  key: "p256",
  fresh: false,
  metrics: {
    p99: { unit: "µs ping", better: "lower", primary: true },
    max: { unit: "µs ping", better: "lower" },
    quietP99: { unit: "µs ping before", better: "lower" },
    back: { unit: "s until all are back", better: "lower" },
    dialP99: { unit: "ms dial to CONNACK", better: "lower" },
    cpu: { unit: "µs CPU per reconnect", better: "lower" },
    overflows: { unit: "backlog overflows", better: "lower" },
  },
  warmUp: async ({ bench, peer, running, mode }) => {
    const target = bench.target(peer, mode, running);
    await bench.generators[0]!.run({ kind: "handshakes", target, count: 300, concurrency: 8, resume: false });
    await bench.backendEmpty();
  },
  measure: async (subject): Promise<Sample> => {
    const { bench, peer, running, mode } = subject;
    const target = bench.target(peer, mode, running);
    const crowd = bench.generators[0]!;
    const count = bench.scale.idle;
    await crowd.run({ kind: "open", pool: "crowd", target, count, concurrency: 16 });
    const pingers = await Pingers.open(subject);
    const quiet = await pingers.during(() => Bun.sleep(bench.scale.quick ? QUIET_MS.quick : QUIET_MS.full));
    const overflows = listenOverflows();
    const work = await bench.measure(running, () =>
      pingers.during(() => crowd.run({ kind: "storm", pool: "crowd", target })),
    );
    const { value, pings } = work.value;
    const figures = {
      ...{ p99: pings.p99, max: pings.max, quietP99: quiet.pings.p99, cpu: work.cpu / count },
      ...{ back: value.seconds, dialP99: usual(value.latencies).p99 / 1000, overflows: listenOverflows() - overflows },
    };
    await pingers.close();
    await crowd.run({ kind: "close", pool: "crowd" });
    await bench.backendEmpty();
    return { figures, flags: work.flags.filter((flag) => flag !== "generator-busy"), facts: { crowd: String(count) } };
  },
};
