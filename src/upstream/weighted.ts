// A weighted service: other services in turn, each as often as its weight says.

import type { Balancer, Choice, Chooser, Target } from "./service.ts";

interface Child {
  readonly balancer: Balancer;
  readonly weight: number;
  current: number;
}

/**
 * Smooth weighted round robin (as in nginx): in any run of sum(weights) choices each child comes exactly `weight` times. The turns of one
 * whose servers are all down go to the others by their weights, and not all to the next.
 */
export class Weighted implements Balancer {
  readonly #children: readonly Child[];

  /** A child of weight 0 is never used. */
  constructor(children: readonly { balancer: Balancer; weight: number }[]) {
    this.#children = children.filter((child) => child.weight > 0).map((child) => ({ ...child, current: 0 }));
  }

  choose(client: Chooser): Choice {
    const best = this.#pick();
    if (best === null) return NONE;
    if (this.#children.length === 1) return best.balancer.choose(client);
    return new Successive(client, best, this.#children);
  }

  get isUsable(): boolean {
    return this.#children.some(({ balancer }) => balancer.isUsable);
  }

  #pick(): Child | null {
    const isUsable = this.isUsable;
    let best: Child | null = null;
    let total = 0;
    for (const child of this.#children) {
      // Where all are down, all are tried.
      if (isUsable && !child.balancer.isUsable) continue;
      child.current += child.weight;
      total += child.weight;
      if (best === null || child.current > best.current) best = child;
    }
    if (best !== null) best.current -= total;
    return best;
  }
}

/** One service after another: the chosen one, then the rest in their order. The rest chooses only when it is asked. */
class Successive implements Choice {
  readonly #client: Chooser;
  readonly #order: readonly Child[];
  readonly #choices: Choice[] = [];
  #trying = 0;
  #resorting = 0;

  constructor(client: Chooser, first: Child, all: readonly Child[]) {
    this.#client = client;
    this.#order = [first, ...all.filter((child) => child !== first)];
  }

  next(): Target | null {
    for (; this.#trying < this.#order.length; this.#trying++) {
      const target = this.#choice(this.#trying).next();
      if (target !== null) return target;
    }
    return null;
  }

  lastResort(): Target | null {
    for (; this.#resorting < this.#order.length; this.#resorting++) {
      const target = this.#choice(this.#resorting).lastResort();
      if (target !== null) return target;
    }
    return null;
  }

  get wasFull(): boolean {
    return this.#choices.some((choice) => choice.wasFull);
  }

  reached(target: Target): void {
    for (const choice of this.#choices) choice?.reached(target);
  }

  #choice(index: number): Choice {
    return (this.#choices[index] ??= this.#order[index]!.balancer.choose(this.#client));
  }
}

const NONE: Choice = { next: () => null, lastResort: () => null, wasFull: false, reached: () => {} };
