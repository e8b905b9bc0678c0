// Row 4: memory of connections that are held and silent, and what is left when they have gone.
import { runOnAll } from "../load/generator.ts";
import { memoryOfTree } from "../memory.ts";
import type { Row, Sample, Subject } from "./row.ts";

/** Connections before the baseline is taken, so that code and first-use tables are not charged to the held ones. */
const WARM_UP = 200;

/** Let allocators and garbage collectors finish what the last handshake began. */
const SETTLE_MS = { full: 700, quick: 250 };

async function openPool({ bench, peer, running, mode }: Subject, count: number): Promise<void> {
  const target = bench.target(peer, mode, running);
  await runOnAll(bench.generators, { kind: "open", pool: "idle", target, count, concurrency: 16 });
}

async function closePool({ bench }: Subject): Promise<void> {
  await runOnAll(bench.generators, { kind: "close", pool: "idle" });
  await bench.backendEmpty();
}

/** Row 4. */
export const idle: Row = {
  id: "idle",
  title: "idle terminated connections",
  mode: "terminate",
  key: "p256",
  // What a process once had resident it mostly keeps: the second repetition would look free.
  fresh: true,
  metrics: {
    rss: { unit: "kB RSS each", better: "lower", primary: true },
    pss: { unit: "kB PSS each", better: "lower" },
    base: { unit: "MB RSS before", better: "lower" },
    held: { unit: "MB RSS while held", better: "lower" },
    after: { unit: "MB RSS after they left", better: "lower" },
  },
  warmUp: async (subject) => {
    await openPool(subject, WARM_UP);
    await closePool(subject);
  },
  measure: async (subject): Promise<Sample> => {
    const { bench, running } = subject;
    const count = bench.scale.idle;
    const settle = () => Bun.sleep(bench.scale.quick ? SETTLE_MS.quick : SETTLE_MS.full);
    await settle();
    const before = memoryOfTree(running.pid);
    await openPool(subject, count);
    await settle();
    const held = memoryOfTree(running.pid);
    await closePool(subject);
    await settle();
    const after = memoryOfTree(running.pid);
    return {
      figures: {
        rss: (held.rss - before.rss) / count,
        pss: (held.pss - before.pss) / count,
        base: before.rss / 1000,
        held: held.rss / 1000,
        after: after.rss / 1000,
      },
      flags: [],
      facts: { connections: String(count) },
    };
  },
};
