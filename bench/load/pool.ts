// Sets of connections that stay open between jobs: opening, closing, and the reconnect storm.
import { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult, type Target } from "./jobs.ts";

/** A named set of open connections. `broken` is the first thing that went wrong with any of them. */
export interface Pool {
  conns: Conn[];
  broken: string | null;
  /** Told when `broken` is set, by whoever works with the pool at that moment. */
  onBroken: (reason: string) => void;
}

const pools = new Map<string, Pool>();

/** The pool of that name; an unknown one is a mistake in a row. */
export function poolOf(name: string): Pool {
  const pool = pools.get(name);
  if (!pool) throw new Error(`no pool ${name}`);
  if (pool.broken) throw new Error(pool.broken);
  return pool;
}

/** An empty pool of that name. */
export function newPool(name: string): Pool {
  const pool: Pool = { conns: [], broken: null, onBroken: () => {} };
  pools.set(name, pool);
  return pool;
}

/** Opens `count` connections, at most `concurrency` of them at a time, and keeps them. */
export async function open(job: Extract<Job, { kind: "open" }>): Promise<JobResult> {
  return await fill(newPool(job.pool), job.target, job.count, job.concurrency);
}

async function fill(pool: Pool, target: Target, count: number, concurrency: number): Promise<JobResult> {
  const result = emptyResult();
  const latencies = new Float64Array(count);
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    let begun = 0;
    pool.onBroken = (reason) => reject(new Error(reason));
    const next = (): void => {
      const conn = new Conn(target, `echo:${begun++}`);
      conn.onFail = (reason) => {
        pool.broken ??= reason;
        pool.onBroken(reason);
      };
      conn.onReady = () => {
        latencies[result.count++] = conn.latency;
        pool.conns.push(conn);
        if (begun < count) next();
        else if (result.count === count) resolve();
      };
      conn.dial();
    };
    for (let i = 0; i < Math.min(count, concurrency); i++) next();
  });
  pool.onBroken = () => {};
  result.seconds = (performance.now() - start) / 1000;
  result.latencies = latencies;
  result.negotiated = pool.conns[0]?.negotiated() ?? "";
  return result;
}

/** Closes all connections of the pool in good order and waits until they are gone. */
export async function close(job: Extract<Job, { kind: "close" }>): Promise<JobResult> {
  const pool = poolOf(job.pool);
  pools.delete(job.pool);
  await gone(pool.conns, (conn) => conn.leave());
  return { ...emptyResult(), count: pool.conns.length };
}

/**
 * Resets every connection of the pool, as when a switch loses power, and dials all of them again in the same turn of
 * the loop: the listener's backlog sees as many SYNs as there are. Latencies are from dial to CONNACK.
 */
export async function storm(job: Extract<Job, { kind: "storm" }>): Promise<JobResult> {
  const pool = poolOf(job.pool);
  const count = pool.conns.length;
  await gone(pool.conns, (conn) => {
    conn.leaving = true;
    conn.socket?.terminate();
  });
  pool.conns = [];
  return await fill(pool, job.target, count, count);
}

async function gone(conns: readonly Conn[], end: (conn: Conn) => void): Promise<void> {
  let left = conns.length;
  await new Promise<void>((resolve) => {
    if (left === 0) resolve();
    for (const conn of conns) {
      conn.onClose = () => {
        if (--left === 0) resolve();
      };
      end(conn);
    }
  });
}
