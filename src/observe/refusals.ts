// Where connections have no line of their own, the refused ones are summed up: one line per minute, entry point and reason. It compares
// counters that are there anyway, so that it costs nothing per connection.

import type { EntryMeters } from "../proxy/meters.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { Log } from "./log.ts";
import { ROUTINE_ENDS } from "./routine-ends.ts";

/** How often they are summed up. Milliseconds. */
const PERIOD_MS = 60_000;

const ROUTINE: ReadonlySet<string> = new Set<Reason>(ROUTINE_ENDS);

export function isRefusal(reason: string): boolean {
  return !ROUTINE.has(reason);
}

/** Refused at once, without a line in the access log. */
const UNLOGGED: ReadonlySet<Reason> = new Set<Reason>(["limit", "banned"]);

export class Refusals {
  readonly #log: Log;
  readonly #meters: () => Iterable<EntryMeters>;
  readonly #isSummed: (reason: Reason) => boolean;
  /** What was counted already. */
  readonly #told = new Map<string, number>();

  /** With an access log only those are summed up that have no line in it either. */
  constructor(log: Log, meters: () => Iterable<EntryMeters>, hasAccessLog: boolean) {
    this.#log = log;
    this.#meters = meters;
    this.#isSummed = hasAccessLog ? (reason) => UNLOGGED.has(reason) : isRefusal;
    setInterval(() => this.tell(), PERIOD_MS);
  }

  /** Writes what has come since the last time. */
  tell(): void {
    for (const { name: entryPoint, results } of this.#meters()) {
      for (const [reason, total] of results) {
        const key = `${entryPoint} ${reason}`;
        const connections = total - (this.#told.get(key) ?? 0);
        if (connections === 0 || !this.#isSummed(reason)) continue;
        this.#told.set(key, total);
        this.#log.logger.info({ entryPoint, reason, connections }, "connections were refused");
      }
    }
  }
}
