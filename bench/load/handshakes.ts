// Connections one after another: dial, TLS, CONNECT, CONNACK, close, and again, `concurrency` of them at a time.
import { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";

/**
 * Runs `count` full or resumed handshakes. With `resume` each lane offers the newest ticket it was given, as a device
 * does; the first connection of each lane (made before the clock starts) is full and fetches it.
 */
export async function handshakes(job: Extract<Job, { kind: "handshakes" }>): Promise<JobResult> {
  const result = emptyResult();
  const latencies = new Float64Array(job.count);
  const tickets = await Promise.all(
    Array.from({ length: job.resume ? job.concurrency : 0 }, async () => {
      const conn = await once(job, null, () => {});
      if (!conn.session) throw new Error("the peer gave no session ticket");
      return conn.session;
    }),
  );
  let begun = 0;
  const start = performance.now();
  const lane = async (index: number): Promise<void> => {
    let ticket = tickets[index] ?? null;
    while (begun < job.count) {
      begun++;
      const conn = await once(job, ticket, (ready) => {
        latencies[result.count++] = ready.latency;
        if (job.resume && ready.resumed()) result.resumed++;
        if (result.negotiated === "") result.negotiated = ready.negotiated();
      });
      ticket = job.resume ? conn.session : null;
    }
  };
  await Promise.all(Array.from({ length: job.concurrency }, (_, index) => lane(index)));
  result.seconds = (performance.now() - start) / 1000;
  result.latencies = latencies;
  return result;
}

/** One connection to its very end; resolves when it is closed, so that a slow close is not someone else's load. */
function once(job: { target: Conn["target"] }, ticket: Buffer | null, ready: (conn: Conn) => void): Promise<Conn> {
  return new Promise((resolve, reject) => {
    const conn = new Conn(job.target, "echo");
    conn.session = ticket;
    conn.onFail = (reason) => reject(new Error(reason));
    conn.onClose = () => resolve(conn);
    conn.onReady = () => {
      ready(conn);
      conn.leave();
    };
    conn.dial();
  });
}
