// A generator process: takes jobs over IPC, one answer each. Started by generator.ts.
import { bulk } from "./bulk.ts";
import { Conn } from "./conn.ts";
import { crowd } from "./crowd.ts";
import { echo, stopEcho } from "./echo.ts";
import { flood, stopFlood } from "./flood.ts";
import { handshakes } from "./handshakes.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";
import { pings, stopPings } from "./pingreq.ts";
import { close, open, storm } from "./pool.ts";

async function run(job: Job): Promise<JobResult> {
  switch (job.kind) {
    case "handshakes":
      return await handshakes(job);
    case "open":
      return await open(job);
    case "close":
      return await close(job);
    case "echo":
      return await echo(job);
    case "stop-echo":
      return stopEcho(job.pool);
    case "bulk":
      return await bulk(job);
    case "storm":
      return await storm(job);
    case "crowd":
      return await crowd(job);
    case "pings":
      return await pings(job);
    case "stop-pings":
      return stopPings();
    case "flood":
      return await flood(job);
    case "stop-flood":
      return stopFlood();
    case "probe":
      return await probe(job);
  }
}

/** A refusal is an answer here: rows poll with it until a new route or certificate is in force. */
function probe(job: Extract<Job, { kind: "probe" }>): Promise<JobResult> {
  return new Promise((resolve) => {
    const conn = new Conn(job.target, "echo");
    conn.onFail = (reason) => resolve({ ...emptyResult(), error: reason });
    conn.onReady = () => {
      resolve({ ...emptyResult(), count: 1, latencies: Float64Array.of(conn.latency) });
      conn.leave();
    };
    conn.dial();
  });
}

process.on("message", async ({ id, job }: { id: number; job: Job }) => {
  const result = await run(job).catch((error: Error) => ({ ...emptyResult(), error: error.message }));
  process.send!({ id, result });
});
// The parent is gone, however it went: so are we.
process.on("disconnect", () => process.exit(0));
process.send!({ id: -1, result: emptyResult() });
