// Twenty established clients that ping while something happens to the proxy. They live in a generator process that
// does nothing else, so that what they see is the proxy's pause and not their own.
import type { Generator } from "../load/generator.ts";
import { usual } from "../stats.ts";
import type { Subject } from "./row.ts";

const CLIENTS = 20;

/** Pings per second of all together: one per client every 20 ms. */
const RATE = 1000;

/** A ping is a small publish: the backend echoes it. */
const PAYLOAD = 16;

/** What the clients saw, µs. */
export interface Pings {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** The clients of one subject; open them, ping as often as wanted, close them. */
export class Pingers {
  private readonly generator: Generator;

  private constructor(generator: Generator) {
    this.generator = generator;
  }

  /** Connects the clients, from the observer process. */
  static async open({ bench, peer, running, mode }: Subject): Promise<Pingers> {
    const pingers = new Pingers(bench.observer);
    const target = bench.target(peer, mode, running);
    await pingers.generator.run({ kind: "open", pool: "pings", target, count: CLIENTS, concurrency: CLIENTS });
    return pingers;
  }

  /** Pings for as long as `work` takes. */
  async during<T>(work: () => Promise<T>): Promise<{ value: T; pings: Pings }> {
    const running = this.generator.run({ kind: "echo", pool: "pings", payload: PAYLOAD, seconds: 3600, rate: RATE });
    // If the pings fail first, their error is the one to report.
    const value = await Promise.race([work(), running.then(() => Promise.reject(new Error("the pings ended early")))]);
    await this.generator.run({ kind: "stop-echo", pool: "pings" });
    const { latencies } = await running;
    return { value, pings: { ...usual(latencies), max: latencies.reduce((a, b) => Math.max(a, b), 0) } };
  }

  async close(): Promise<void> {
    await this.generator.run({ kind: "close", pool: "pings" });
  }
}
