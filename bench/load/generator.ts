// The parent's side of the generator processes: start them, hand out jobs, merge the answers.
import { join } from "node:path";
import { cpuOfTree } from "../cpu.ts";
import { pinned, track } from "../proc.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";

/** How far those that make the load stand back where cores are shared: proxy, backend and observer come first. */
const NICE = "5";

/** One generator process; a `yielding` one has NICE. */
export class Generator {
  readonly pid: number;
  private readonly child: Bun.Subprocess;
  private readonly waiting = new Map<number, (result: JobResult) => void>();
  private next = 0;

  private constructor(cpus: string | undefined, yielding: boolean, ready: () => void) {
    this.waiting.set(-1, ready);
    const command = [process.execPath, join(import.meta.dir, "main.ts")];
    this.child = Bun.spawn(pinned(yielding ? ["nice", "-n", NICE, ...command] : command, cpus), {
      stdio: ["ignore", "inherit", "inherit"],
      // Typed arrays survive: the samples of a run are up to a megabyte.
      serialization: "advanced",
      ipc: (message: { id: number; result: JobResult }) => {
        this.waiting.get(message.id)?.(message.result);
        this.waiting.delete(message.id);
      },
    });
    this.pid = this.child.pid;
    track(this.child);
    this.child.exited.then(() => {
      for (const done of this.waiting.values()) done({ ...emptyResult(), error: "a generator process ended" });
    });
  }

  /** Starts a process and waits until it listens to us. */
  static async start(cpus: string | undefined, yielding: boolean): Promise<Generator> {
    let generator: Generator | undefined;
    await new Promise<void>((resolve) => {
      generator = new Generator(cpus, yielding, resolve);
    });
    return generator!;
  }

  /** Runs one job; a lost or wrong byte, or any other failure in it, rejects. */
  async run(job: Job): Promise<JobResult> {
    const result = await this.try(job);
    if (result.error !== null) throw new Error(`${job.kind}: ${result.error}`);
    return result;
  }

  /** Runs one job and leaves its error to the caller. */
  async try(job: Job): Promise<JobResult> {
    const id = this.next++;
    return await new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.child.send({ id, job });
    });
  }

  /** CPU time so far in µs, for the share of a core that the generator itself used. */
  cpu(): number {
    return cpuOfTree(this.pid);
  }
}

/** Splits a job over all generators and merges what they answer; connection counts and rates are divided. */
export async function runOnAll(generators: readonly Generator[], job: Job): Promise<JobResult> {
  const n = generators.length;
  const results = await Promise.all(generators.map((generator, index) => generator.run(share(job, n, index))));
  const merged = emptyResult();
  for (const result of results) {
    merged.count += result.count;
    merged.bytes += result.bytes;
    merged.resumed += result.resumed;
    merged.seconds = Math.max(merged.seconds, result.seconds);
    merged.negotiated ||= result.negotiated;
  }
  merged.latencies = Float64Array.from(results.flatMap((result) => [...result.latencies]));
  return merged;
}

function share(job: Job, n: number, index: number): Job {
  const part = (whole: number): number => Math.floor(whole / n) + (index < whole % n ? 1 : 0);
  switch (job.kind) {
    case "handshakes":
    case "open":
      return { ...job, count: part(job.count), concurrency: part(job.concurrency) };
    case "flood": {
      const { net, count } = job.sources;
      const sources = count < n ? job.sources : { net: net + index, count: part(count) };
      return { ...job, sources, count: part(job.count), ...(job.tries !== undefined && { tries: part(job.tries) }) };
    }
    case "echo":
      return { ...job, rate: job.rate === null ? null : job.rate / n };
    case "bulk":
      return { ...job, bytes: part(job.bytes) };
    default:
      return job;
  }
}
