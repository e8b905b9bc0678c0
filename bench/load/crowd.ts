// Clients that come back as devices do: all at once, and again after each refusal, until their CONNACK is there.
import { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";
import { newPool } from "./pool.ts";
import { sourceOf } from "./sources.ts";

/** How long a client waits for its CONNACK before it begins anew, as MQTT.js and Paho do. */
const PATIENCE_MS = 30_000;

/** A proxy that has not let all in by then never will: those that gave up waiting are before those that still do. */
const GIVE_UP_MS = 180_000;

/** Ends when all are in; latencies are from the first dial of each to its CONNACK, µs. */
export async function crowd(job: Extract<Job, { kind: "crowd" }>): Promise<JobResult> {
  const pool = newPool(job.pool);
  const result = emptyResult();
  const latencies = new Float64Array(job.count);
  let tries = 0;
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    let isOver = false;
    const giveUp = setTimeout(() => {
      isOver = true;
      reject(new Error(`${result.count} of ${job.count} clients are back after ${GIVE_UP_MS / 1000} s`));
    }, GIVE_UP_MS);
    const dial = (index: number): void => {
      if (isOver) return;
      tries++;
      const conn = new Conn(job.target, `crowd-${job.pool}-${index}`, sourceOf(job.sources, index));
      const patience = setTimeout(() => conn.fail("no CONNACK in time"), PATIENCE_MS);
      conn.onFail = () => {
        clearTimeout(patience);
        // Half of it for all, and the rest by chance: clients that come again together come together for ever.
        setTimeout(dial, job.againMs * (0.5 + Math.random()), index);
      };
      conn.onReady = () => {
        clearTimeout(patience);
        latencies[result.count++] = (performance.now() - start) * 1000;
        pool.conns.push(conn);
        conn.onFail = (reason) => {
          pool.broken ??= reason;
          pool.onBroken(reason);
        };
        if (result.count < job.count) return;
        clearTimeout(giveUp);
        resolve();
      };
      conn.dial();
    };
    for (let index = 0; index < job.count; index++) dial(index);
  });
  result.seconds = (performance.now() - start) / 1000;
  result.latencies = latencies;
  result.tries = tries;
  return result;
}
