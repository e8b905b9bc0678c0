// Connections that are to end: those of drained servers, and of what a reload has removed. The workers count them; here is the pace at which
// they go, over all workers together, and what the log and the metrics say of them.

import type { Logger } from "../observe/logger.ts";
import type { Leaving, ToWorker } from "../protocol/messages.ts";
import { Departing } from "./departing.ts";
import type { Departure } from "./losses.ts";

/** How often some of them go. Milliseconds. */
export const TICK_MS = 100;

/** Late dials may still come to what is empty. Milliseconds. */
const LINGER_MS = 60_000;

export interface DeparturesHost {
  /** To one worker, or to all of them. */
  tell(message: ToWorker, worker?: number): void;
  /** The workers that run. */
  workers(): readonly number[];
  /** All connections of what was removed are gone: it need not be given any more. */
  done(id: string): void;
}

export class Departures {
  readonly #host: DeparturesHost;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #all = new Map<string, Departing>();
  /** Each change has a number, so that one knows which of them a worker has counted. */
  #round = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** @param now the clock, in milliseconds. */
  constructor(host: DeparturesHost, logger: Logger, now = () => performance.now(), random = Math.random) {
    this.#host = host;
    this.#logger = logger;
    this.#now = now;
    this.#random = random;
  }

  /** From now on these are to end, and no others. */
  set(wanted: readonly Departure[]): void {
    const ids = new Set(wanted.map(({ id }) => id));
    const drop = [...this.#all.keys()].filter((id) => !ids.has(id));
    for (const id of drop) {
      this.#all.get(id)!.calledOff();
      this.#all.delete(id);
    }
    const put: Leaving[] = [];
    for (const departure of wanted) {
      const known = this.#all.get(departure.id);
      if (known?.isSame(departure)) continue;
      if (known !== undefined) known.change(departure);
      else this.#all.set(departure.id, new Departing(departure, this.#round + 1, this.#logger, this.#now()));
      put.push(leavingOf(departure));
    }
    if (put.length === 0 && drop.length === 0) return;
    this.#round++;
    this.#host.tell({ type: "leaving", round: this.#round, put, drop });
    this.#run();
  }

  /** A worker has started. */
  started(worker: number): void {
    if (this.#all.size === 0) return;
    const put = [...this.#all.values()].map(({ departure }) => leavingOf(departure));
    this.#host.tell({ type: "leaving", round: this.#round, put, drop: [] }, worker);
  }

  /** A worker has counted its connections. */
  left(worker: number, round: number, counts: readonly (readonly [id: string, count: number])[]): void {
    const byId = new Map(counts);
    const workers = this.#host.workers();
    for (const [id, each] of this.#all) each.counted(worker, round, byId.get(id) ?? 0, workers, this.#now());
  }

  gone(worker: number): void {
    for (const each of this.#all.values()) each.gone(worker, this.#host.workers(), this.#now());
  }

  /** Lets go of as many as it is time for. */
  tick(): void {
    const now = this.#now();
    const over: string[] = [];
    for (const [id, each] of this.#all) {
      for (const [worker, count] of each.due(now, this.#random)) this.#host.tell({ type: "let-go", id, count }, worker);
      if (each.departure.reason === "removed" && each.isEmptySince(now - LINGER_MS)) over.push(id);
    }
    if (over.length === 0) return;
    for (const id of over) {
      this.#all.delete(id);
      this.#host.done(id);
    }
    this.#host.tell({ type: "leaving", round: ++this.#round, put: [], drop: over });
    this.#run();
  }

  /** How many are left of each. */
  *states(): Generator<{ readonly departure: Departure; readonly left: number }> {
    for (const { departure, total } of this.#all.values()) yield { departure, left: total };
  }

  close(): void {
    this.#all.clear();
    this.#run();
  }

  #run(): void {
    const isNeeded = this.#all.size > 0;
    if (isNeeded === (this.#timer !== null)) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = isNeeded ? setInterval(() => this.tick(), TICK_MS) : null;
  }
}

function leavingOf({ id, reason, which, policy }: Departure): Leaving {
  return { id, reason, which, atOnce: policy.kind === "close" };
}
