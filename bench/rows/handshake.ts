// Full handshakes with CONNECT, CONNACK and close, for both kinds of key; resumed ones; and with a gate that reads CONNECT.
import type { KeyKind } from "../certs.ts";
import { runOnAll } from "../load/generator.ts";
import type { Job } from "../load/jobs.ts";
import { freePort } from "../proc.ts";
import { usual } from "../stats.ts";
import type { Row, Sample, Subject } from "./row.ts";

/** Handshakes under way at a time: enough to keep a worker busy, few enough that p99 is not mere queueing. */
const CONCURRENCY = 8;

/** Handshakes per repetition: about 0.6 s of a core. `quick` is for --quick. */
const COUNT = { full: 800, quick: 300 };

/** Handshakes before the first repetition: a JIT (Node, Bun) has compiled the way of a connection by then. */
const WARM_UP = { full: 1000, quick: 600 };

interface Kind {
  id: string;
  title: string;
  key: KeyKind;
  version: "TLSv1.2" | "TLSv1.3";
  resume: boolean;
  slow?: boolean;
  variants?: Row["variants"];
  /** What the row is about; CPU where it is left out. */
  primary?: "p50";
  usually?: Row["usually"];
}

function handshakeRow(kind: Kind): Row {
  const job = ({ bench, peer, running, mode }: Subject, count: number): Job => ({
    kind: "handshakes",
    target: bench.target(peer, mode, running, kind.version),
    count,
    concurrency: CONCURRENCY,
    resume: kind.resume && peer.tls,
  });
  return {
    id: kind.id,
    title: kind.title,
    mode: "terminate",
    key: kind.key,
    fresh: false,
    ...(kind.slow && { slow: true }),
    ...(kind.variants && { variants: kind.variants }),
    ...(kind.usually && { usually: kind.usually }),
    metrics: {
      cpu: { unit: "µs CPU each", better: "lower", ...(kind.primary === undefined && { primary: true }) },
      rate: { unit: "per s", better: "higher" },
      p50: { unit: "µs", better: "lower", ...(kind.primary === "p50" && { primary: true }) },
      p99: { unit: "µs", better: "lower" },
      ...(kind.resume && { resumed: { unit: "share", better: "higher" } as const }),
    },
    warmUp: async (subject) => {
      await runOnAll(subject.bench.generators, job(subject, subject.bench.scale.quick ? WARM_UP.quick : WARM_UP.full));
      await subject.bench.backendEmpty();
    },
    measure: async (subject): Promise<Sample> => {
      const { bench, running } = subject;
      const count = bench.scale.quick ? COUNT.quick : COUNT.full;
      const before = await bench.backendCounters();
      const work = await bench.measure(running, async () => {
        const done = await runOnAll(bench.generators, job(subject, count));
        // The proxy's own close is part of the price.
        await bench.backendEmpty();
        return done;
      });
      const result = work.value;
      // The resumption lanes begin with a full handshake each, which fetches the ticket: 1 % of the work.
      const dialled = (await bench.backendCounters()).connections - before.connections;
      const wanted = count + (kind.resume && subject.peer.tls ? CONCURRENCY : 0);
      if (dialled !== wanted) throw new Error(`${dialled} connections reached the backend instead of ${wanted}`);
      const { p50, p99 } = usual(result.latencies);
      const rate = result.count / result.seconds;
      const figures: Record<string, number> = { cpu: work.cpu / dialled, rate, p50, p99, ...work.busy };
      if (kind.resume && subject.peer.tls) figures.resumed = result.resumed / result.count;
      return { figures, flags: work.flags, facts: { negotiated: result.negotiated } };
    },
  };
}

const common = { key: "p256", version: "TLSv1.3", resume: false } as const;

/** Full TLS 1.3, P-256. */
export const handshake = handshakeRow({ ...common, id: "handshake", title: "full TLS 1.3 handshake, P-256" });
/** Full TLS 1.3, RSA-2048. */
export const handshakeRsa = handshakeRow({
  ...common,
  id: "handshake-rsa",
  title: "full TLS 1.3 handshake, RSA-2048",
  key: "rsa",
  slow: true,
});
/**
 * Full TLS 1.3 with the gate off and on. On: Sluice has every middleware of MQTT, which judges CONNECT, checks a password and writes another
 * user name; HAProxy waits for a CONNECT and has it checked by mqtt_is_valid.
 */
export const gate = handshakeRow({
  ...common,
  id: "gate",
  title: "full TLS 1.3 handshake, P-256, and CONNECT: gate off and on",
  slow: true,
  variants: () => [
    { label: "off", size: 0, options: async () => ({}) },
    { label: "on", size: 1, options: async () => ({ gate: true }) },
  ],
});
/** Full TLS 1.3 where all servers are there, and where the first of two refuses; the warm-up has the first failure. */
export const deadServer = handshakeRow({
  ...common,
  id: "dead-server",
  title: "full TLS 1.3 handshake, P-256, and CONNECT: one server, and a dead one before it",
  slow: true,
  primary: "p50",
  usually: ["sluice", "haproxy"],
  variants: () => [
    { label: "alone", size: 0, options: async () => ({}) },
    { label: "behind a dead one", size: 1, options: async () => ({ deadServer: await freePort() }) },
  ],
});
/** TLS 1.2 resumed by ticket. */
export const resumed12 = handshakeRow({
  ...common,
  id: "resumed-12",
  title: "resumed TLS 1.2 handshake",
  version: "TLSv1.2",
  resume: true,
});
/** TLS 1.3 resumed by ticket. */
export const resumed13 = handshakeRow({
  ...common,
  id: "resumed-13",
  title: "resumed TLS 1.3 handshake",
  resume: true,
});
