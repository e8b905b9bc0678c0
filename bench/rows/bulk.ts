// Row 3, second half: one connection, one direction, as fast as it goes.
import type { Row, Sample, Subject } from "./row.ts";

/** Bytes per repetition: about 0.2 s of a core. */
const BYTES = { full: 128 << 20, quick: 32 << 20 };

function bulkRow(direction: "up" | "down"): Row {
  const move = async ({ bench, peer, running, mode }: Subject, bytes: number) => {
    const target = bench.target(peer, mode, running);
    const result = await bench.generators[0]!.run({ kind: "bulk", target, direction, bytes });
    await bench.backendEmpty();
    return result;
  };
  return {
    id: `bulk-${direction}`,
    title: `bulk ${direction === "up" ? "from client to broker" : "from broker to client"}, one connection`,
    mode: "terminate",
    key: "p256",
    fresh: false,
    metrics: {
      cpu: { unit: "ms CPU per MB", better: "lower", primary: true },
      perCpuSecond: { unit: "MB per CPU second", better: "higher" },
      rate: { unit: "MB per s", better: "higher" },
    },
    warmUp: async (subject) => {
      await move(subject, BYTES.quick);
    },
    measure: async (subject): Promise<Sample> => {
      const { bench, running } = subject;
      const work = await bench.measure(running, () => move(subject, bench.scale.quick ? BYTES.quick : BYTES.full), 5);
      const { bytes, seconds, negotiated } = work.value;
      const figures = {
        cpu: work.cpu / 1e3 / (bytes / 1e6),
        perCpuSecond: bytes / work.cpu,
        rate: bytes / 1e6 / seconds,
      };
      return { figures: { ...figures, ...work.busy }, flags: work.flags, facts: { negotiated } };
    },
  };
}

/** Everything up; the backend checks it. */
export const bulkUp = bulkRow("up");
/** Everything down; the generator checks it. */
export const bulkDown = bulkRow("down");
