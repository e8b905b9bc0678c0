// The servers of one load balancer, laid out so that a choice among a thousand of them takes a microsecond: numbers in arrays, side by side.

import { DRAINED, type ServerStates } from "./server-state.ts";
import type { Target } from "./service.ts";

/**
 * Which servers a choice is among. `up`: those that may be up, take connections and are no backups. `backup`: such backups. `down`:
 * those that are known to be down, which are tried when there is nothing else.
 */
export type Phase = "up" | "backup" | "down";

/** Where a server is that a choice has given already, there is a 1; null: it has given none. */
export type Tried = Uint8Array | null;

const NO_LIMIT = 0x7fffffff;

export class Pool {
  readonly targets: readonly Target[];
  readonly size: number;
  /** As configured. */
  readonly weights: Float64Array;
  /** Whether all configured weights are the same. */
  readonly isEven: boolean;
  /** Whether all weights that count now are the same. */
  readonly isAlwaysEven: boolean;
  readonly #states: ServerStates;
  readonly #slots: Int32Array;
  readonly #limits: Int32Array;
  readonly #backups: Uint8Array;
  readonly #slowStartMs: number;
  readonly #now: () => number;
  /** By address; made when one is asked for. */
  #indexes: Map<string, number> | null = null;
  /** What `mark` and `weigh` have answered last. */
  readonly #marks: Uint8Array;
  readonly #weighed: Float64Array;

  /** `slowStartMs`: how long a server that has come up grows to its weight; 0: not at all. `now` is Unix time in milliseconds. */
  constructor(targets: readonly Target[], states: ServerStates, slowStartMs = 0, now = Date.now) {
    this.targets = targets;
    this.size = targets.length;
    this.#states = states;
    this.#slowStartMs = slowStartMs;
    this.#now = now;
    this.weights = Float64Array.from(targets, ({ server }) => server.weight ?? 1);
    this.isEven = this.weights.every((each) => each === this.weights[0]);
    this.isAlwaysEven = this.isEven && slowStartMs === 0;
    this.#slots = Int32Array.from(targets, ({ state }) => state.slot);
    this.#limits = Int32Array.from(targets, ({ server }) => server.maxConnections ?? NO_LIMIT);
    this.#backups = Uint8Array.from(targets, ({ server }) => (server.backup ? 1 : 0));
    this.#marks = new Uint8Array(this.size);
    this.#weighed = new Float64Array(this.size);
  }

  /** Whether this one server can be chosen. */
  isFree(index: number, phase: Phase, tried: Tried): boolean {
    const { flags, open, elsewhere } = this.#states;
    const slot = this.#slots[index]!;
    const flag = flags[slot]!;
    if (phase === "down" ? flag === 0 || flag >= DRAINED : flag !== 0) return false;
    if (phase !== "down" && this.#backups[index] !== (phase === "backup" ? 1 : 0)) return false;
    if (tried !== null && tried[index] === 1) return false;
    return open[slot]! + elsewhere[slot]! < this.#limits[index]!;
  }

  /** A 1 for each server that can be chosen. Good until it is asked again. */
  mark(phase: Phase, tried: Tried): Uint8Array {
    const { flags, open, elsewhere } = this.#states;
    const marks = this.#marks;
    const least = phase === "down" ? 1 : 0;
    const most = phase === "down" ? DRAINED - 1 : 0;
    const backup = phase === "backup" ? 1 : 0;
    for (let index = 0; index < this.size; index++) {
      const slot = this.#slots[index]!;
      marks[index] =
        flags[slot]! >= least &&
        flags[slot]! <= most &&
        (phase === "down" || this.#backups[index] === backup) &&
        open[slot]! + elsewhere[slot]! < this.#limits[index]! &&
        (tried === null || tried[index] === 0)
          ? 1
          : 0;
    }
    return marks;
  }

  /** Whether any server can be chosen. */
  hasFree(phase: Phase): boolean {
    for (let index = 0; index < this.size; index++) if (this.isFree(index, phase, null)) return true;
    return false;
  }

  /** -1: there is no such server. */
  indexOf(address: string): number {
    this.#indexes ??= new Map(this.targets.map(({ server }, index) => [server.address, index]));
    return this.#indexes.get(address) ?? -1;
  }

  /** Connections that a server has, of all workers. */
  open(index: number): number {
    const slot = this.#slots[index]!;
    return this.#states.open[slot]! + this.#states.elsewhere[slot]!;
  }

  /** The weights that count now. Good until it is asked again. */
  weigh(): Float64Array {
    if (this.#slowStartMs === 0) return this.weights;
    const weighed = this.#weighed;
    const { upSince } = this.#states;
    const now = this.#now();
    for (let index = 0; index < this.size; index++) {
      const age = now - upSince[this.#slots[index]!]!;
      const share = age >= this.#slowStartMs ? 1 : Math.max(LEAST_SHARE, age / this.#slowStartMs);
      weighed[index] = this.weights[index]! * share;
    }
    return weighed;
  }

  /** Whether one that has not been tried takes nothing more, and would otherwise. */
  hasFull(tried: Tried): boolean {
    const { flags } = this.#states;
    for (let index = 0; index < this.size; index++) {
      const takes = flags[this.#slots[index]!]! < DRAINED && (tried === null || tried[index] === 0);
      if (takes && this.open(index) >= this.#limits[index]!) return true;
    }
    return false;
  }
}

/** What a server that has just come up gets of its weight: without any it would never be found to work. */
const LEAST_SHARE = 0.01;
