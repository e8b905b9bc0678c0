// A load balancer: the servers of a service, in the order in which they are tried for one connection.

import { keyOf } from "./client-key.ts";
import { LeastConnections } from "./least-connections.ts";
import { type Phase, Pool, type Tried } from "./pool.ts";
import { Rendezvous } from "./rendezvous.ts";
import { RoundRobin } from "./round-robin.ts";
import type { ServerStates } from "./server-state.ts";
import type { Balancer, Balancing, Choice, Chooser, Target } from "./service.ts";
import type { StickyTable } from "./sticky.ts";
import type { Strategy } from "./strategy.ts";
import { TwoChoices } from "./two-choices.ts";

export interface BalancerContext {
  readonly states: ServerStates;
  /** Spreads the first connections of several workers over the servers. */
  readonly start: number;
  /** Numbers from 0 up to 1. */
  readonly random: () => number;
  /** Unix time in milliseconds. */
  readonly now?: () => number;
  /** The service's table, where it is sticky. */
  readonly sticky: StickyTable | null;
}

export class LoadBalancer implements Balancer {
  readonly #pool: Pool;
  readonly #states: ServerStates;
  readonly #strategy: Strategy;
  readonly #balancing: Balancing;
  readonly #sticky: StickyTable | null;

  constructor(targets: readonly Target[], balancing: Balancing, context: BalancerContext) {
    const used = targets.filter(({ server }) => server.weight !== 0);
    this.#pool = new Pool(used, context.states, balancing.slowStartMs, context.now);
    this.#states = context.states;
    this.#strategy = strategyOf(this.#pool, balancing, context);
    this.#balancing = balancing;
    this.#sticky = context.sticky;
  }

  choose(client: Chooser): Choice {
    this.#states.pardon();
    const { strategy, hashKey = "clientId", sticky } = this.#balancing;
    const key = strategy === "hrw" ? keyOf(client, hashKey) : "";
    if (this.#sticky === null || sticky === undefined) return new PoolChoice(this.#pool, this.#strategy, key);
    const stickyKey = keyOf(client, sticky.key);
    if (stickyKey === "") return new PoolChoice(this.#pool, this.#strategy, key);
    return new StickyChoice(this.#pool, this.#strategy, key, this.#sticky, stickyKey);
  }

  get isUsable(): boolean {
    this.#states.pardon();
    return this.#pool.hasFree("up") || this.#pool.hasFree("backup");
  }
}

function strategyOf(pool: Pool, { strategy = "wrr" }: Balancing, { start, random }: BalancerContext): Strategy {
  switch (strategy) {
    case "wrr":
      return new RoundRobin(pool, start);
    case "leastconn":
      return new LeastConnections(pool, start);
    case "p2c":
      return new TwoChoices(pool, random);
    case "hrw":
      return new Rendezvous(pool, new RoundRobin(pool, start));
  }
}

class PoolChoice implements Choice {
  protected readonly pool: Pool;
  readonly #strategy: Strategy;
  readonly #key: string;
  #tried: Tried = null;
  #last = -1;
  #phase: Phase = "up";

  constructor(pool: Pool, strategy: Strategy, key: string) {
    this.pool = pool;
    this.#strategy = strategy;
    this.#key = key;
  }

  next(): Target | null {
    if (this.#phase === "down") return null;
    if (this.#phase === "up") {
      const target = this.pick("up");
      if (target !== null) return target;
      this.#phase = "backup";
    }
    return this.pick("backup");
  }

  lastResort(): Target | null {
    this.#phase = "down";
    return this.pick("down");
  }

  get wasFull(): boolean {
    return this.pool.hasFull(this.tried());
  }

  reached(_target: Target): void {}

  protected pick(phase: Phase): Target | null {
    return this.given(this.#strategy.pick(this.pool, phase, this.tried(), this.#key));
  }

  /** Most choices give one server, and need no memory of others. */
  protected tried(): Tried {
    if (this.#last < 0) return this.#tried;
    this.#tried ??= new Uint8Array(this.pool.size);
    this.#tried[this.#last] = 1;
    return this.#tried;
  }

  protected given(index: number): Target | null {
    if (index < 0) return null;
    this.tried();
    this.#last = index;
    return this.pool.targets[index]!;
  }
}

/** First the server that the client came to before, while it can be chosen. The one that is reached is where it comes next time. */
class StickyChoice extends PoolChoice {
  readonly #table: StickyTable;
  readonly #stickyKey: string;
  #hasLooked = false;

  constructor(pool: Pool, strategy: Strategy, key: string, table: StickyTable, stickyKey: string) {
    super(pool, strategy, key);
    this.#table = table;
    this.#stickyKey = stickyKey;
  }

  protected override pick(phase: Phase): Target | null {
    return this.#known(phase) ?? super.pick(phase);
  }

  /** Not before: while no server can be reached, clients do not lose theirs. */
  override reached(target: Target): void {
    const { address } = target.server;
    const isOwn = this.pool.targets[this.pool.indexOf(address)] === target;
    if (isOwn) this.#table.set(this.#stickyKey, address);
  }

  #known(phase: Phase): Target | null {
    if (this.#hasLooked) return null;
    this.#hasLooked = true;
    const address = this.#table.get(this.#stickyKey);
    const index = address === null ? -1 : this.pool.indexOf(address);
    if (index < 0) return null;
    const isFree = this.pool.isFree(index, phase, null) || (phase === "up" && this.pool.isFree(index, "backup", null));
    return isFree ? this.given(index) : null;
  }
}
