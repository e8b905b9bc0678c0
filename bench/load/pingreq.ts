// PINGREQ and PINGRESP over the connections of a pool, each connection at its own pace.
import { emptyResult, type Job, type JobResult } from "./jobs.ts";
import { poolOf } from "./pool.ts";

const PINGREQ = Buffer.from([0xc0, 0]);
const PINGRESP = Buffer.from([0xd0, 0]);

/** How long the last answers may take before they count as lost. */
const HOME_MS = 10_000;

let stop: () => void = () => {};

/** Ends the pings that run. */
export function stopPings(): JobResult {
  stop();
  return emptyResult();
}

/** Pings until `stopPings`. Latencies are from PINGREQ to PINGRESP, µs. A client whose answer is late sends no other one meanwhile. */
export async function pings(job: Extract<Job, { kind: "pings" }>): Promise<JobResult> {
  const pool = poolOf(job.pool);
  const latencies: number[] = [];
  const sentAt = new Map(pool.conns.map((conn) => [conn, 0]));
  const broken = new Promise<never>((_, reject) => {
    pool.onBroken = (reason) => reject(new Error(reason));
  });
  for (const conn of pool.conns)
    conn.onPacket = () => {
      latencies.push((performance.now() - sentAt.get(conn)!) * 1000);
      sentAt.set(conn, 0);
      conn.expect = null;
    };
  // Their turns are spread over the time between two.
  let turn = 0;
  const pacer = setInterval(() => {
    const conn = pool.conns[turn++ % pool.conns.length]!;
    if (sentAt.get(conn) !== 0) return;
    sentAt.set(conn, performance.now());
    conn.expect = PINGRESP;
    conn.send(PINGREQ);
  }, job.everyMs / pool.conns.length);
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  await Promise.race([stopped, broken]);
  clearInterval(pacer);
  for (const end = performance.now() + HOME_MS; [...sentAt.values()].some((at) => at > 0); ) {
    if (performance.now() > end) throw new Error("a PINGRESP did not come");
    await Promise.race([Bun.sleep(1), broken]);
  }
  pool.onBroken = () => {};
  return { ...emptyResult(), count: latencies.length, latencies: Float64Array.from(latencies) };
}
