// One group of connections that are to end: how many are left in which worker, when the next may go, and what the log says.

import type { Logger } from "../observe/logger.ts";
import type { Departure } from "./losses.ts";

/** When the log first says how many are left; it waits twice as long each time, up to the last of these. Milliseconds. */
const FIRST_SAID_MS = 10_000;
const LAST_SAID_MS = 600_000;

/** After a pause of the master no more go at once than in this time. Milliseconds. */
const BURST_MS = 200;

export class Departing {
  departure: Departure;
  /** Connections left, by worker. */
  readonly #left = new Map<number, number>();
  /** Workers that have counted since it began. */
  readonly #heard = new Set<number>();
  readonly #round: number;
  readonly #logger: Logger;
  #lastTick: number;
  /** How many may go now; a part of one is kept. */
  #due = 0;
  #state: "counting" | "leaving" | "empty" = "counting";
  #emptyAt = 0;
  #said = -1;
  #sayAt = 0;
  #sayAfter = FIRST_SAID_MS;

  /** `round` is the change with which the workers hear of it. */
  constructor(departure: Departure, round: number, logger: Logger, now: number) {
    this.departure = departure;
    this.#round = round;
    this.#logger = logger;
    this.#lastTick = now;
  }

  get total(): number {
    let sum = 0;
    for (const count of this.#left.values()) sum += count;
    return sum;
  }

  isSame({ policy, which }: Departure): boolean {
    return Bun.deepEquals(policy, this.departure.policy) && Bun.deepEquals(which, this.departure.which);
  }

  /** It goes on by another policy. */
  change(departure: Departure): void {
    this.departure = departure;
    if (this.#state !== "leaving") return;
    this.#say(this.#isDrain ? "draining a server" : "closing connections of what was removed");
  }

  /** A worker has so many; `workers` are those that run. */
  counted(worker: number, round: number, count: number, workers: readonly number[], now: number): void {
    if (round < this.#round) return;
    this.#heard.add(worker);
    if (count === 0) this.#left.delete(worker);
    else this.#left.set(worker, count);
    this.#look(workers, now);
  }

  gone(worker: number, workers: readonly number[], now: number): void {
    this.#left.delete(worker);
    this.#look(workers, now);
  }

  /** How many may go now in which worker. Whose turn it is is left to chance, so that each connection has the same one. */
  due(now: number, random: () => number): Map<number, number> {
    const { policy } = this.departure;
    const passed = now - this.#lastTick;
    this.#lastTick = now;
    const turns = new Map<number, number>();
    if (policy.kind !== "spread") return turns;
    let total = this.total;
    if (total === 0) {
      this.#due = 0;
      return turns;
    }
    const most = 1 + (policy.perSecond * BURST_MS) / 1000;
    this.#due = Math.min(this.#due + (policy.perSecond * passed) / 1000, most);
    for (; this.#due >= 1 && total > 0; this.#due--, total--) {
      const worker = this.#pick(Math.floor(random() * total));
      this.#left.set(worker, this.#left.get(worker)! - 1);
      turns.set(worker, (turns.get(worker) ?? 0) + 1);
    }
    return turns;
  }

  /** None has been left since then, nor is. */
  isEmptySince(time: number): boolean {
    return this.#state === "empty" && this.#emptyAt <= time;
  }

  /** Its server is drained no more, or what was removed is back. */
  calledOff(): void {
    const left = this.total;
    if (this.#isDrain)
      this.#logger.info({ ...this.departure.about, left }, "the server is drained no longer, or is gone");
    else if (this.#state === "leaving")
      this.#logger.info({ ...this.departure.about, left }, "the connections left are kept");
  }

  get #isDrain(): boolean {
    return this.departure.reason === "drained";
  }

  /** The worker that has the connection of this number. */
  #pick(number: number): number {
    let rest = number;
    let last = -1;
    for (const [worker, count] of this.#left) {
      if (count === 0) continue;
      last = worker;
      rest -= count;
      if (rest < 0) break;
    }
    return last;
  }

  #look(workers: readonly number[], now: number): void {
    const isFirst = this.#state === "counting";
    if (isFirst && !workers.every((worker) => this.#heard.has(worker))) return;
    const { total } = this;
    if (isFirst) {
      // Who removes what nobody uses need not read of it.
      if (this.#isDrain || total > 0)
        this.#say(this.#isDrain ? "draining a server" : "closing connections of what was removed");
      this.#state = "leaving";
      this.#sayAt = now + this.#sayAfter;
    }
    if (total === 0) {
      if (this.#state === "empty") return;
      this.#state = "empty";
      this.#emptyAt = now;
      if (this.#isDrain) this.#logger.info(this.departure.about, "the server is drained");
      else if (this.#said > 0)
        this.#logger.info(this.departure.about, "the connections of what was removed are closed");
      return;
    }
    this.#state = "leaving";
    if (now < this.#sayAt || total === this.#said) return;
    this.#sayAfter = Math.min(this.#sayAfter * 2, LAST_SAID_MS);
    this.#sayAt = now + this.#sayAfter;
    this.#say("connections are left");
  }

  #say(message: string): void {
    const { about, policy } = this.departure;
    this.#said = this.total;
    const pace = policy.kind === "spread" ? { perSecond: policy.perSecond } : {};
    this.#logger.info({ ...about, live: policy.kind, ...pace, left: this.#said }, message);
  }
}
