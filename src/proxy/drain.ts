// A worker that accepts no more: how its connections come to their end, at once at the last moment or one after another before it.

import type { Turns } from "../net/turns.ts";
import type { DrainPace } from "../protocol/messages.ts";
import type { LiveConnection } from "./edge.ts";

/** How often it is looked whether connections are gone, and some are closed. Milliseconds. */
const TICK_MS = 50;

export interface DrainHost {
  readonly connections: Iterable<
    Pick<LiveConnection, "isOver" | "shutdown"> & { readonly record: { entryPoint: string } }
  > & {
    readonly size: number;
  };
  readonly turns: Pick<Turns, "run">;
  /** The last connection has gone. */
  done(): void;
}

export class Drain {
  readonly #host: DrainHost;
  readonly #now: () => number;
  readonly #random: () => number;
  #deadline: number;
  #pace: DrainPace;
  #lastTick: number;
  /** How many may go now; a part of one is kept. */
  #due = 0;
  #timer: ReturnType<typeof setInterval> | null;

  /** Ends in `graceMs` at the latest. @param now the clock, in milliseconds. */
  constructor(
    host: DrainHost,
    graceMs: number,
    pace: DrainPace,
    now: () => number = () => performance.now(),
    random: () => number = Math.random,
  ) {
    this.#host = host;
    this.#now = now;
    this.#random = random;
    this.#lastTick = now();
    this.#deadline = this.#lastTick + graceMs;
    this.#pace = pace;
    this.#timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Another deadline and pace: who drains for an upgrade may be stopped meanwhile. It never ends later than it would have. */
  change(graceMs: number, pace: DrainPace): void {
    this.#deadline = Math.min(this.#deadline, this.#now() + graceMs);
    this.#pace = pace;
    this.#due = 0;
  }

  /** Closes those whose time has come. */
  tick(): void {
    const now = this.#now();
    const passed = now - this.#lastTick;
    this.#lastTick = now;
    if (now >= this.#deadline) for (const connection of this.#host.connections) connection.shutdown();
    else this.#closeSome(passed, this.#deadline - now);
    if ((this.#host.connections.size > 0 && now < this.#deadline) || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#host.done();
  }

  #closeSome(passed: number, left: number): void {
    const pace = this.#pace;
    if (pace.kind === "together") return;
    const open = [...this.#host.connections].filter(
      ({ isOver, record }) => !isOver && (pace.kind === "rate" || pace.entryPoints.includes(record.entryPoint)),
    );
    // Evenly: as many of those that are left as this tick is of the time that is left, so that the last goes at the end.
    const more = pace.kind === "rate" ? (pace.perSecond * passed) / 1000 : (open.length * passed) / (left + passed);
    // After a pause of the process no more go at once than in a second.
    this.#due = Math.min(this.#due + more, pace.kind === "rate" ? Math.max(1, pace.perSecond) : open.length);
    for (; this.#due >= 1 && open.length > 0; this.#due--) {
      // Whose turn it is is left to chance, so that clients of one place do not all come again at once.
      const at = Math.floor(this.#random() * open.length);
      const connection = open[at]!;
      open[at] = open.at(-1)!;
      open.pop();
      this.#host.turns.run(() => {
        if (!connection.isOver) connection.shutdown();
      });
    }
  }
}
