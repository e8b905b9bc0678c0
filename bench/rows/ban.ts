// What it costs to refuse an address that is banned: HAProxy's `tcp-request connection reject` by a stick table, Sluice's `ban`.
import type { Protection } from "../peers/peer.ts";
import type { Row, Sample } from "./row.ts";

const PROTECTION: Protection = { handshakes: 0, connections: 100_000, perSecond: 100_000, failures: 50 };
/** Tries after which an address is banned for certain. */
const UNTIL_BANNED = 400;
const COUNT = { full: 20_000, quick: 4000 };
const SOURCES = { net: 120, count: 1 };

export const ban: Row = {
  id: "ban",
  title: "connections of a banned address, 64 at a time",
  mode: "terminate",
  key: "p256",
  fresh: false,
  slow: true,
  usually: ["haproxy", "haproxy-new", "sluice"],
  options: async () => ({ protection: PROTECTION }),
  metrics: {
    cpu: { unit: "µs CPU per refusal", better: "lower", primary: true },
    rate: { unit: "refusals/s", better: "higher" },
  },
  warmUp: async ({ bench, peer, running, mode }) => {
    const flood = { kind: "flood", how: "garbage", target: bench.target(peer, mode, running) } as const;
    await bench.generators[0]!.run({ ...flood, count: 4, sources: SOURCES, tries: UNTIL_BANNED });
    await bench.generators[0]!.run({ ...flood, count: 64, sources: SOURCES, tries: COUNT.quick });
  },
  measure: async ({ bench, peer, running, mode }): Promise<Sample> => {
    const tries = bench.scale.quick ? COUNT.quick : COUNT.full;
    const target = bench.target(peer, mode, running);
    const work = await bench.measure(running, () =>
      bench.generators[0]!.run({ kind: "flood", how: "silent", target, count: 64, sources: SOURCES, tries }),
    );
    const { count, seconds } = work.value;
    return { figures: { cpu: work.cpu / count, rate: count / seconds }, flags: work.flags };
  },
};
