// Rows of storms and floods: thousands of clients come back at once, with people about who mean no good, in front of a real Mosquitto, while
// fifty that are connected send PINGREQ. The same limits for all peers; the clients have loopback addresses of their own.
import { runOnAll } from "../load/generator.ts";
import type { How } from "../load/jobs.ts";
import type { Sources } from "../load/sources.ts";
import type { Protection } from "../peers/peer.ts";
import { usual } from "../stats.ts";
import type { Row, Sample, Subject } from "./row.ts";

const PROTECTION: Protection = { handshakes: 500, connections: 500, perSecond: 200 };
/** Who pings: each once in 50 ms. */
const PINGERS = 50;
const EVERY_MS = 50;
const QUIET_MS = 1000;
/** Where each kind of client comes from. */
const NETS = { warmUp: 90, pingers: 91, crowd: 100, flood: 120 };
/** For how long a flood goes on before the crowd comes: as long as it takes to reach its size. */
const FLOOD_MS = { full: 5000, quick: 1500 };

interface Storm {
  id: string;
  title: string;
  /** Clients that come back. */
  clients: { full: number; quick: number };
  addresses?: number;
  /** How long they wait after a refusal, in the middle. */
  againMs?: number;
  flood?: { how: How; count: { full: number; quick: number }; addresses: number };
}

function stormRow({ id, title, clients, addresses = 5000, againMs = 1000, flood }: Storm): Row {
  return {
    id,
    title,
    mode: "terminate",
    key: "p256",
    fresh: true,
    slow: true,
    usually: ["haproxy", "haproxy-new", "sluice"],
    options: async (bench) => ({ protection: PROTECTION, backendPort: await bench.mosquitto() }),
    metrics: {
      p99: { unit: "ms PINGREQ to PINGRESP", better: "lower", primary: true },
      max: { unit: "ms", better: "lower" },
      quietP99: { unit: "ms before", better: "lower" },
      back: { unit: "s until all are back", better: "lower" },
      backP50: { unit: "s for half", better: "lower" },
      tries: { unit: "tries per client", better: "lower" },
      proxy: { unit: "cores", better: "lower" },
      cpu: { unit: "µs CPU per client", better: "lower" },
      flooded: { unit: "connections of the flood", better: "lower" },
    },
    warmUp: async (subject) => {
      const sources = { net: NETS.warmUp, count: 250 };
      const job = {
        kind: "flood",
        how: "handshakes",
        target: targetOf(subject),
        count: 4,
        sources,
        tries: 300,
      } as const;
      await subject.bench.generators[0]!.run(job);
    },
    measure: async (subject): Promise<Sample> => {
      const { bench, running } = subject;
      const size = bench.scale.quick ? "quick" : "full";
      const target = targetOf(subject);
      const count = clients[size];
      const [crowd, pings] = [bench.generators[0]!, bench.observer];
      const come = (pool: string, number: number, sources: Sources) =>
        ({ kind: "crowd", pool, target, count: number, sources, againMs }) as const;
      await pings.run(come("pings", PINGERS, { net: NETS.pingers, count: PINGERS }));
      const during = async <T>(work: () => Promise<T>): Promise<{ value: T; p99: number; max: number }> => {
        const answers = pings.run({ kind: "pings", pool: "pings", everyMs: EVERY_MS });
        const value = await Promise.race([
          work(),
          answers.then(() => Promise.reject(new Error("the pings ended early"))),
        ]);
        await pings.run({ kind: "stop-pings" });
        const { latencies } = await answers;
        return { value, p99: usual(latencies).p99 / 1000, max: latencies.reduce((a, b) => Math.max(a, b), 0) / 1000 };
      };
      const quiet = await during(() => Bun.sleep(QUIET_MS));
      const flooders = flood === undefined ? [] : await bench.flooders();
      const work = await bench.measure(running, () =>
        during(async () => {
          const flooding =
            flood === undefined
              ? null
              : runOnAll(flooders, {
                  ...{ kind: "flood", how: flood.how, target, count: flood.count[size] },
                  sources: { net: NETS.flood, count: flood.addresses },
                });
          if (flooding !== null) await Promise.race([Bun.sleep(FLOOD_MS[size]), flooding]);
          const back = await crowd.run(come("crowd", count, { net: NETS.crowd, count: Math.min(count, addresses) }));
          for (const flooder of flooders) await flooder.run({ kind: "stop-flood" });
          return { back, flooded: (await flooding)?.count ?? 0 };
        }),
      );
      const { value, p99, max } = work.value;
      const { back, flooded } = value;
      await Promise.all([pings.run({ kind: "close", pool: "pings" }), crowd.run({ kind: "close", pool: "crowd" })]);
      return {
        figures: {
          ...{ p99, max, quietP99: quiet.p99, back: back.seconds, backP50: usual(back.latencies).p50 / 1e6 },
          ...{ tries: back.tries / count, proxy: work.busy.proxy, cpu: work.cpu / count, flooded },
        },
        flags: work.flags.filter((flag) => flag !== "generator-busy"),
        facts: {
          limits: `${PROTECTION.handshakes} handshakes/s; per address ${PROTECTION.connections}, ${PROTECTION.perSecond}/s`,
        },
      };
    },
  };
}

function targetOf({ bench, peer, running, mode }: Subject) {
  return bench.target(peer, mode, running);
}

const FEW = { full: 1000, quick: 200 };

export const storms: readonly Row[] = [
  stormRow({ id: "storm-back", title: "5000 clients come back at once", clients: { full: 5000, quick: 500 } }),
  stormRow({
    id: "storm-at-once",
    title: "5000 clients come back at once, and again at once after each refusal",
    clients: { full: 5000, quick: 500 },
    againMs: 0,
  }),
  stormRow({
    id: "storm-half-open",
    title: "1000 clients come back; 20 000 connections of as many addresses say nothing",
    clients: FEW,
    flood: { how: "silent", count: { full: 20_000, quick: 12_000 }, addresses: 20_000 },
  }),
  stormRow({
    id: "storm-slow-hello",
    title: "1000 clients come back; 5000 connections of 1000 addresses send a hello byte by byte",
    clients: FEW,
    flood: { how: "slow-hello", count: { full: 5000, quick: 500 }, addresses: 1000 },
  }),
  stormRow({
    id: "storm-unfinished",
    title: "1000 clients come back; 2000 connections of 1000 addresses send a hello and no Finished",
    clients: FEW,
    flood: { how: "unfinished", count: { full: 2000, quick: 500 }, addresses: 1000 },
  }),
  stormRow({
    id: "storm-one-address",
    title: "1000 clients of as many addresses come back; one address makes handshakes without end, 200 at a time",
    clients: FEW,
    flood: { how: "handshakes", count: { full: 200, quick: 200 }, addresses: 1 },
  }),
];
