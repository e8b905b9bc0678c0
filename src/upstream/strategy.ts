// What every way to choose among the servers of a load balancer answers.

import type { Phase, Pool, Tried } from "./pool.ts";

export interface Strategy {
  /**
   * The place in the pool of the server that is next; -1: there is none in this phase that has not been tried. `key` is what the client
   * is told apart by, "" where nothing is known.
   */
  pick(pool: Pool, phase: Phase, tried: Tried, key: string): number;
}
