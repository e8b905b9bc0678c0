// inFlightConn: at most so many connections of one client at a time. As in Traefik, but clients can be told apart by more than their
// address, and the count goes by the middleware's name: the routers that use it share it, all workers have one, and it outlives a reload.

import type { Counts } from "../admission/counts.ts";
import { KEY_STAGES, type KeyRow, keyOf } from "./client-key.ts";
import type { Client, Middleware, Stage, Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. */
export interface InFlightConnRow extends KeyRow {
  readonly kind: "inFlightConn";
  /** 0 refuses everybody, as in Traefik. */
  readonly amount: number;
}

const TOO_MANY: Verdict = { kind: "refuse", reason: "too-many-connections" };

export class InFlightConn implements Middleware {
  readonly stage: Stage;
  readonly #row: InFlightConnRow;
  readonly #counts: Counts;

  constructor(row: InFlightConnRow, counts: Counts) {
    this.stage = KEY_STAGES[row.key];
    this.#row = row;
    this.#counts = counts;
  }

  judge(client: Client): Verdict {
    const lease = this.#counts.take(keyOf(client, this.#row));
    return lease === null ? TOO_MANY : { kind: "pass", lease };
  }
}
