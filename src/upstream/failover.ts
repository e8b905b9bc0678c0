// One service, and another one for while all servers of the first are down.

import type { ServerState } from "./server-state.ts";
import type { Balancer, Choice, Chooser, Target } from "./service.ts";

export class Failover implements Balancer {
  readonly #main: Balancer;
  readonly #fallback: Balancer;
  /** Of the servers of the first one. */
  readonly #states: readonly ServerState[];
  readonly #returnAfterMs: number;
  readonly #now: () => number;

  /** @param now Unix time in milliseconds, as in ServerState.upSince. */
  constructor(
    main: Balancer,
    fallback: Balancer,
    states: readonly ServerState[],
    returnAfterMs: number,
    now: () => number = Date.now,
  ) {
    this.#main = main;
    this.#fallback = fallback;
    this.#states = states;
    this.#returnAfterMs = returnAfterMs;
    this.#now = now;
  }

  choose(client: Chooser): Choice {
    return new Either(client, this.#main, this.#fallback, this.#isBack());
  }

  get isUsable(): boolean {
    return this.#main.isUsable || this.#fallback.isUsable;
  }

  /** Whether a server of the first one has been up for long enough. The first that is ends the search, and as a rule it is the first. */
  #isBack(): boolean {
    if (this.#returnAfterMs === 0) return true;
    const latest = this.#now() - this.#returnAfterMs;
    return this.#states.some((state) => state.isUsable && state.upSince <= latest);
  }
}

/** The servers of one service, then those of the other. Each chooses only when it is asked. */
class Either implements Choice {
  readonly #client: Chooser;
  readonly #main: Balancer;
  readonly #fallback: Balancer;
  readonly #mainFirst: boolean;
  #ofMain: Choice | null = null;
  #ofFallback: Choice | null = null;

  constructor(client: Chooser, main: Balancer, fallback: Balancer, mainFirst: boolean) {
    this.#client = client;
    this.#main = main;
    this.#fallback = fallback;
    this.#mainFirst = mainFirst;
  }

  next(): Target | null {
    return this.#mainFirst
      ? (this.#choiceOfMain().next() ?? this.#choiceOfFallback().next())
      : (this.#choiceOfFallback().next() ?? this.#choiceOfMain().next());
  }

  lastResort(): Target | null {
    return this.#choiceOfMain().lastResort() ?? this.#choiceOfFallback().lastResort();
  }

  get wasFull(): boolean {
    return this.#ofMain?.wasFull === true || this.#ofFallback?.wasFull === true;
  }

  reached(target: Target): void {
    this.#ofMain?.reached(target);
    this.#ofFallback?.reached(target);
  }

  #choiceOfMain(): Choice {
    return (this.#ofMain ??= this.#main.choose(this.#client));
  }

  #choiceOfFallback(): Choice {
    return (this.#ofFallback ??= this.#fallback.choose(this.#client));
  }
}
