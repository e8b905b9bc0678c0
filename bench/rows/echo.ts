// Rows 2, 3 and 5: echoed publishes over 50 connections, terminated and passed through.
import { runOnAll } from "../load/generator.ts";
import type { Mode } from "../peers/peer.ts";
import { usual } from "../stats.ts";
import type { Metric, Row, Sample, Subject } from "./row.ts";

const CONNECTIONS = 50;

/**
 * Messages per second of the paced part that latencies come from: below what the slowest peer can do on a machine
 * shared with backend and generator, so that it is the proxy's latency and not the queue of an overload.
 */
const PACED = 3000;

/** Seconds of the closed-loop part (CPU, rate) and of the paced part (latencies). */
const SECONDS = { full: { closed: 0.8, paced: 0.8 }, quick: { closed: 0.3, paced: 0.3 } };

interface Kind {
  id: string;
  title: string;
  mode: Mode;
  /** Bytes of payload. */
  payload: number;
}

/** A pool of one subject: opened for a repetition and closed after it, on every generator. */
async function withPool<T>(subject: Subject, work: () => Promise<T>): Promise<T> {
  const { bench, peer, running, mode } = subject;
  const target = bench.target(peer, mode, running);
  await runOnAll(bench.generators, { kind: "open", pool: "echo", target, count: CONNECTIONS, concurrency: 8 });
  const value = await work();
  await runOnAll(bench.generators, { kind: "close", pool: "echo" });
  await bench.backendEmpty();
  return value;
}

function echoRow(kind: Kind): Row {
  const small = kind.payload < 1000;
  const latencies: Record<string, Metric> = {
    p50: { unit: "µs", better: "lower" },
    p99: { unit: "µs", better: "lower" },
    p999: { unit: "µs", better: "lower" },
    pacedCpu: { unit: `µs CPU per message at ${PACED}/s`, better: "lower" },
  };
  const echo = (subject: Subject, seconds: number, rate: number | null) =>
    runOnAll(subject.bench.generators, { kind: "echo", pool: "echo", payload: kind.payload, seconds, rate });
  return {
    ...kind,
    key: "p256",
    fresh: false,
    metrics: {
      cpu: { unit: "µs CPU per message", better: "lower", primary: true },
      rate: { unit: "per s", better: "higher" },
      ...(small ? latencies : { perCpuSecond: { unit: "MB per CPU second", better: "higher" } as const }),
    },
    warmUp: (subject) =>
      withPool(subject, async () => {
        await echo(subject, 0.5, null);
      }),
    measure: (subject): Promise<Sample> =>
      withPool(subject, async () => {
        const { bench, running } = subject;
        const seconds = bench.scale.quick ? SECONDS.quick : SECONDS.full;
        await echo(subject, 0.1, null);
        const closed = await bench.measure(running, () => echo(subject, seconds.closed, null), 5);
        const { count, bytes } = closed.value;
        const figures: Record<string, number> = { cpu: closed.cpu / count, rate: count / closed.value.seconds };
        // Each byte goes up and comes down: it is counted once.
        if (!small) figures.perCpuSecond = bytes / closed.cpu;
        if (small) {
          const paced = await bench.measure(running, () => echo(subject, seconds.paced, PACED), 5);
          Object.assign(figures, usual(paced.value.latencies), { pacedCpu: paced.cpu / paced.value.count });
        }
        return { figures: { ...figures, ...closed.busy }, flags: closed.flags };
      }),
  };
}

/** Row 2. */
export const echo100 = echoRow({
  id: "echo-100",
  title: "echo of 100-byte publishes, 50 connections",
  mode: "terminate",
  payload: 100,
});
/** Row 3. */
export const echo16k = echoRow({
  id: "echo-16k",
  title: "echo of 16 384-byte publishes, 50 connections",
  mode: "terminate",
  payload: 16_384,
});
/** The same just below the sizes that matter: one TLS record (2^14) and one HAProxy buffer (tune.bufsize) hold the whole packet. */
export const echo16000 = echoRow({
  id: "echo-16000",
  title: "echo of 16 000-byte publishes, 50 connections",
  mode: "terminate",
  payload: 16_000,
});
/** Row 5: row 2 without decrypting. */
export const passthrough100 = echoRow({
  id: "passthrough-100",
  title: "passthrough by SNI: echo of 100-byte publishes",
  mode: "passthrough",
  payload: 100,
});
/** Row 5: row 3 without decrypting. */
export const passthrough16k = echoRow({
  id: "passthrough-16k",
  title: "passthrough by SNI: echo of 16 kB publishes",
  mode: "passthrough",
  payload: 16_384,
});
