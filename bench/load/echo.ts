// Echoed publishes over a pool: as fast as they come back, or paced.
import { NumberedPublish } from "../mqtt.ts";
import type { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";
import { type Pool, poolOf } from "./pool.ts";

/** How long the last echoes may take to come home before they count as lost. */
const HOME_MS = 10_000;

/** One connection's side of an echo run. Two copies of the packet, as sending and checking are at different numbers. */
interface Lane {
  conn: Conn;
  out: NumberedPublish;
  back: NumberedPublish;
  sent: number;
  received: number;
  /** When each message in flight was sent, oldest first. */
  sentAt: number[];
}

const stops = new Map<string, () => void>();

/** Ends the running echo of a pool before its time. */
export function stopEcho(pool: string): JobResult {
  stops.get(pool)?.();
  return emptyResult();
}

/**
 * Runs echoes for `seconds`, then waits for the last to come home. Paced messages go out by a 1 ms tick whether or not
 * earlier ones are back (open loop), so a stall shows in every message that it delays.
 */
export async function echo(job: Extract<Job, { kind: "echo" }>): Promise<JobResult> {
  const pool = poolOf(job.pool);
  const latencies: number[] = [];
  const result = emptyResult();
  let sending = true;
  let flying = 0;
  let settled: () => void = () => {};
  const send = (lane: Lane): void => {
    lane.sentAt.push(performance.now());
    flying++;
    lane.conn.expect ??= lane.back.numbered(lane.received);
    lane.conn.send(lane.out.numbered(lane.sent++));
  };
  const lanes = pool.conns.map((conn, index): Lane => {
    const seed = index + 1;
    const packets = { out: new NumberedPublish(job.payload, seed), back: new NumberedPublish(job.payload, seed) };
    const lane: Lane = { conn, ...packets, sent: 0, received: 0, sentAt: [] };
    conn.onPacket = () => {
      latencies.push((performance.now() - lane.sentAt.shift()!) * 1000);
      flying--;
      lane.received++;
      lane.conn.expect = lane.sentAt.length > 0 ? lane.back.numbered(lane.received) : null;
      if (sending && job.rate === null) send(lane);
      else if (!sending && flying === 0) settled();
    };
    return lane;
  });

  const start = performance.now();
  await guarded(pool, async () => {
    const pacer = job.rate === null ? null : pace(lanes, job.rate, send);
    if (job.rate === null) for (const lane of lanes) send(lane);
    await stopped(job.pool, job.seconds);
    sending = false;
    if (pacer) clearInterval(pacer);
    if (flying > 0) {
      const home = new Promise<void>((resolve) => {
        settled = resolve;
      });
      await Promise.race([home, Bun.sleep(HOME_MS)]);
      if (flying > 0) throw new Error(`${flying} messages did not come back in ${HOME_MS} ms`);
    }
  });
  result.seconds = (performance.now() - start) / 1000;
  result.count = latencies.length;
  result.bytes = result.count * lanes[0]!.out.packet.length;
  result.latencies = Float64Array.from(latencies);
  return result;
}

/** Sends what is due every millisecond, lane after lane. */
function pace(lanes: readonly Lane[], rate: number, send: (lane: Lane) => void): ReturnType<typeof setInterval> {
  const start = performance.now();
  let done = 0;
  return setInterval(() => {
    const due = Math.floor(((performance.now() - start) * rate) / 1000);
    while (done < due) send(lanes[done++ % lanes.length]!);
  }, 1);
}

function stopped(pool: string, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    stops.set(pool, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Does the work, but fails as soon as any connection of the pool does. */
async function guarded(pool: Pool, work: () => Promise<void>): Promise<void> {
  const broken = new Promise<never>((_, reject) => {
    pool.onBroken = (reason) => reject(new Error(reason));
  });
  await Promise.race([work(), broken]);
  pool.onBroken = () => {};
}
