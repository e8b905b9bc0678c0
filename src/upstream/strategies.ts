// In which order the servers of a service are tried.

import type { Balancer, Choice, Chooser, Target } from "./service.ts";

/** Round robin over a load balancer's servers. */
export class RoundRobin implements Balancer {
  readonly #targets: readonly Target[];
  #next: number;

  /** `start` spreads the first connections of several workers over the servers. */
  constructor(targets: readonly Target[], start = 0) {
    this.#targets = targets;
    this.#next = targets.length === 0 ? 0 : start % targets.length;
  }

  choose(): Choice {
    const first = this.#next;
    this.#next = first + 1 < this.#targets.length ? first + 1 : 0;
    return new Rotation(this.#targets, first);
  }
}

/** The servers from `first` on, and round. */
class Rotation implements Choice {
  readonly #targets: readonly Target[];
  readonly #first: number;
  #tried = 0;
  /** Of those that are down. */
  #resorted = 0;

  constructor(targets: readonly Target[], first: number) {
    this.#targets = targets;
    this.#first = first;
  }

  next(): Target | null {
    while (this.#tried < this.#targets.length) {
      const target = this.#at(this.#tried++);
      if (target.state.isUsable) return target;
    }
    return null;
  }

  lastResort(): Target | null {
    while (this.#resorted < this.#targets.length) {
      const target = this.#at(this.#resorted++);
      if (!target.state.isUsable && !target.state.isDraining) return target;
    }
    return null;
  }

  #at(offset: number): Target {
    return this.#targets[(this.#first + offset) % this.#targets.length]!;
  }
}

interface Child {
  readonly balancer: Balancer;
  readonly weight: number;
  current: number;
}

/** Smooth weighted round robin (as in nginx): in any run of sum(weights) choices each child comes exactly `weight` times. */
export class Weighted implements Balancer {
  readonly #children: readonly Child[];
  readonly #total: number;

  /** A child of weight 0 is never used. */
  constructor(children: readonly { balancer: Balancer; weight: number }[]) {
    this.#children = children.filter((child) => child.weight > 0).map((child) => ({ ...child, current: 0 }));
    this.#total = this.#children.reduce((sum, child) => sum + child.weight, 0);
  }

  choose(client: Chooser): Choice {
    let best = this.#children[0];
    if (best === undefined) return NONE;
    for (const child of this.#children) {
      child.current += child.weight;
      if (child.current > best.current) best = child;
    }
    best.current -= this.#total;
    if (this.#children.length === 1) return best.balancer.choose(client);
    return new Successive(client, best, this.#children);
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

  #choice(index: number): Choice {
    return (this.#choices[index] ??= this.#order[index]!.balancer.choose(this.#client));
  }
}

const NONE: Choice = { next: () => null, lastResort: () => null };
