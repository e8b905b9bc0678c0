// rateLimit: how often one client may connect. Traefik's words, of its middleware for HTTP; here they count connections. The state goes by
// the middleware's name, as that of inFlightConn.

import type { Rates } from "../admission/rates.ts";
import { KEY_STAGES, type KeyRow, keyOf } from "./client-key.ts";
import { type Client, type Middleware, PASS, type Stage, type Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. */
export interface RateLimitRow extends KeyRow {
  readonly kind: "rateLimit";
  /** Connections per period. */
  readonly average: number;
  readonly periodMs: number;
  /** Connections that may come at once. */
  readonly burst: number;
}

const TOO_OFTEN: Verdict = { kind: "refuse", reason: "too-many-connects" };

export class RateLimit implements Middleware {
  readonly stage: Stage;
  readonly #row: RateLimitRow;
  readonly #rates: Rates;
  readonly #now: () => number;
  /** Those that have been let in: a reload asks about them again, and they have come but once. */
  readonly #passed: WeakSet<Client>;

  /** `now` is the clock, in milliseconds; `former` is the one of the same name until now. */
  constructor(row: RateLimitRow, rates: Rates, now: () => number, former: RateLimit | null = null) {
    this.stage = KEY_STAGES[row.key];
    this.#row = row;
    this.#rates = rates;
    this.#now = now;
    this.#passed = former === null ? new WeakSet() : former.#passed;
  }

  judge(client: Client): Verdict {
    if (this.#passed.has(client)) return PASS;
    if (this.#rates.take(keyOf(client, this.#row), this.#now()) > 0) return TOO_OFTEN;
    this.#passed.add(client);
    return PASS;
  }
}
