// Row 7: what a thousand times more routes or certificates cost: starting, memory, a handshake, a reload.
import type { Bench } from "../harness.ts";
import { runOnAll } from "../load/generator.ts";
import { makeManyCerts } from "../many-certs.ts";
import { memoryOfTree } from "../memory.ts";
import type { PeerOptions } from "../peers/peer.ts";
import { Pingers } from "./pings.ts";
import type { Row, Sample, Subject, Variant } from "./row.ts";

const ROUTES = { full: [10, 1000, 100_000], quick: [10, 10_000] };
const CERTS = { full: [10, 1000, 10_000], quick: [10, 1000] };

/** Handshakes to measure the CPU of one by. */
const HANDSHAKES = 400;

/** Handshakes before that, so that a JIT has compiled the way of a connection: every repetition is a new process. */
const WARM_UP = 1200;

/** What a program does after reading a large configuration, such as freeing what that took, is part of its start and not of a handshake. */
const SETTLE_MS = 1500;

/** A reload that is not in force after this long has failed. */
const RELOAD_LIMIT_MS = 60_000;

interface Kind {
  id: string;
  title: string;
  sizes: { full: readonly number[]; quick: readonly number[] };
  options: (bench: Bench, size: number) => Promise<Partial<PeerOptions>>;
  /** A name in the middle of what grew, and the name that a reload brings. */
  middle: (size: number) => string;
  reloaded: string;
  usually: readonly string[];
}

function growthRow(kind: Kind): Row {
  return {
    id: kind.id,
    title: kind.title,
    mode: "terminate",
    key: "p256",
    fresh: true,
    slow: true,
    can: (peer) => peer.grows === true,
    usually: kind.usually,
    metrics: {
      cpu: { unit: "µs CPU per handshake", better: "lower", primary: true },
      rss: { unit: "MB RSS", better: "lower" },
      pss: { unit: "MB PSS", better: "lower" },
      start: { unit: "ms to start", better: "lower" },
      reload: { unit: "ms to reload", better: "lower" },
      reloadCpu: { unit: "ms CPU to reload", better: "lower" },
      pause: { unit: "ms longest ping in a reload", better: "lower" },
    },
    variants: (bench) =>
      (bench.scale.quick ? kind.sizes.quick : kind.sizes.full).map((size) => ({
        label: String(size),
        size,
        options: (of: Bench) => kind.options(of, size),
      })),
    warmUp: async (subject) => {
      await handshakes(subject, "localhost", WARM_UP);
      await Bun.sleep(SETTLE_MS);
    },
    measure: (subject, variant) => measureGrowth(kind, subject, variant!),
  };
}

async function measureGrowth(kind: Kind, subject: Subject, variant: Variant): Promise<Sample> {
  const { bench, running } = subject;
  const work = await bench.measure(running, () => handshakes(subject, kind.middle(variant.size), HANDSHAKES));
  const memory = memoryOfTree(running.pid);
  const pingers = await Pingers.open(subject);
  let reloadMs = 0;
  const reloading = await bench.measure(running, () =>
    pingers.during(async () => {
      reloadMs = await reload(subject, kind.reloaded);
      // The pause may come after the first connection that sees the new state.
      await Bun.sleep(300);
    }),
  );
  await pingers.close();
  return {
    figures: {
      ...{ cpu: work.cpu / HANDSHAKES, rss: memory.rss / 1000, pss: memory.pss / 1000, start: running.startMs },
      ...{ reload: reloadMs, reloadCpu: reloading.cpu / 1000, pause: reloading.value.pings.max / 1000 },
    },
    flags: work.flags,
  };
}

async function handshakes({ bench, peer, running, mode }: Subject, serverName: string, count: number): Promise<void> {
  const target = bench.target(peer, mode, running);
  const named = { ...target, tls: { ...target.tls!, serverName } };
  await runOnAll(bench.generators, { kind: "handshakes", target: named, count, concurrency: 8, resume: false });
  await bench.backendEmpty();
}

/** From asking for the reload until a connection under the new name succeeds, ms. */
async function reload({ bench, peer, running, mode }: Subject, serverName: string): Promise<number> {
  const target = bench.target(peer, mode, running);
  const named = { ...target, tls: { ...target.tls!, serverName } };
  const probe = () => bench.generators[0]!.try({ kind: "probe", target: named });
  if ((await probe()).error === null) throw new Error(`${serverName} is served before the reload`);
  const start = performance.now();
  await running.reload!(1);
  while ((await probe()).error !== null) {
    if (performance.now() - start > RELOAD_LIMIT_MS) throw new Error("the reload never came into force");
    await Bun.sleep(5);
  }
  return performance.now() - start;
}

/** Row 7, routes: exact names, all to one service. */
export const growthRoutes = growthRow({
  id: "growth-routes",
  title: "growth with routes",
  sizes: ROUTES,
  options: async (_, size) => ({ extraRoutes: size }),
  middle: (size) => `r${size >> 1}.bench.test`,
  reloaded: "reload-1.bench.test",
  usually: ["haproxy", "sluice"],
});

/** Row 7, certificates: each with a key and a name of its own; the reload adds one more. */
export const growthCerts = growthRow({
  id: "growth-certs",
  title: "growth with certificates",
  sizes: CERTS,
  options: async (bench, size) => {
    const [added, ...extra] = await makeManyCerts(bench.dir, size + 1);
    return { extraCerts: extra, addedCert: added! };
  },
  // certs[0] is the one that the reload adds.
  middle: (size) => `c${1 + (size >> 1)}.certs.test`,
  reloaded: "c0.certs.test",
  // HAProxy takes 20 to 30 s to load the 10 000, and as long to reload them: with --peers haproxy only.
  usually: ["sluice"],
});
