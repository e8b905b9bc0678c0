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
  /** The sum of the configured weights. */
  readonly total: number;
  /** Whether the weights that count are always the configured ones. */
  readonly isSteady: boolean;
  /** Whether all configured weights are the same. */
  readonly #isEven: boolean;
  readonly #states: ServerStates;
  readonly #slots: Int32Array;
  readonly #limits: Int32Array;
  /** Whether any has a limit. */
  readonly #isLimited: boolean;
  readonly #backups: Uint8Array;
  /** The others. */
  readonly #regular: Uint8Array;
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
    this.total = this.weights.reduce((sum, each) => sum + each, 0);
    this.isSteady = slowStartMs === 0;
    this.#isEven = this.weights.every((each) => each === this.weights[0]);
    this.#slots = Int32Array.from(targets, ({ state }) => state.slot);
    this.#limits = Int32Array.from(targets, ({ server }) => server.maxConnections ?? NO_LIMIT);
    this.#backups = Uint8Array.from(targets, ({ server }) => (server.backup ? 1 : 0));
    this.#isLimited = targets.some(({ server }) => server.maxConnections !== undefined);
    this.#regular = this.#backups.map((each) => 1 - each);
    this.#marks = new Uint8Array(this.size);
    this.#weighed = new Float64Array(this.size);
  }

  /** Whether this one server can be chosen. */
  isFree(index: number, phase: Phase, tried: Tried): boolean {
    const { flags, total } = this.#states;
    const slot = this.#slots[index]!;
    const flag = flags[slot]!;
    if (phase === "down" ? flag === 0 || flag >= DRAINED : flag !== 0) return false;
    if (phase !== "down" && this.#backups[index] !== (phase === "backup" ? 1 : 0)) return false;
    if (tried !== null && tried[index] === 1) return false;
    return total[slot]! < this.#limits[index]!;
  }

  /** A 1 for each server that can be chosen. Good until it is asked again; not to be written into. */
  mark(phase: Phase, tried: Tried): Uint8Array {
    const { flags, total, flagged } = this.#states;
    if (flagged === 0 && tried === null && phase === "up" && !this.#isLimited) return this.#regular;
    // All in variables of its own: the loop then takes a fifth of the time.
    const slots = this.#slots;
    const limits = this.#limits;
    const backups = this.#backups;
    const marks = this.#marks;
    const { size } = this;
    const isDown = phase === "down";
    const backup = phase === "backup" ? 1 : 0;
    for (let index = 0; index < size; index++) {
      const slot = slots[index]!;
      const flag = flags[slot]!;
      const isIn = isDown ? flag > 0 && flag < DRAINED : flag === 0 && backups[index] === backup;
      marks[index] = isIn && total[slot]! < limits[index]! ? 1 : 0;
    }
    if (tried !== null) for (let index = 0; index < size; index++) if (tried[index] === 1) marks[index] = 0;
    return marks;
  }

  /**
   * The server with the fewest connections for its weight; of several the first from `start` on, and round. -1: none can be chosen.
   * Whether one can be chosen is asked only of those that would be the best so far.
   */
  lightest(phase: Phase, tried: Tried, start: number): number {
    const weights = this.weigh();
    if (this.#isEven && weights === this.weights) return this.#emptiest(phase, tried, start);
    const { total } = this.#states;
    const slots = this.#slots;
    const { size } = this;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    let index = start;
    for (let looked = 0; looked < size; looked++) {
      const load = (total[slots[index]!]! + 1) / weights[index]!;
      if (load < least && this.isFree(index, phase, tried)) {
        least = load;
        best = index;
      }
      if (++index === size) index = 0;
    }
    return best;
  }

  /** The same where all weigh the same. All whole numbers: with any other it takes twice as long. */
  #emptiest(phase: Phase, tried: Tried, start: number): number {
    const { total } = this.#states;
    const slots = this.#slots;
    const { size } = this;
    let best = -1;
    let least = 0x7fffffff;
    let end = size;
    for (let from = start; ; from = 0) {
      for (let index = from; index < end; index++) {
        const open = total[slots[index]!]!;
        if (open < least && this.isFree(index, phase, tried)) {
          least = open;
          best = index;
        }
      }
      if (end === start || start === 0) return best;
      end = start;
    }
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

  /** What one server would carry for each unit of its weight, with one connection more. */
  load(index: number): number {
    return (this.#open(index) + 1) / this.weigh()[index]!;
  }

  /** Whether the weights that count now are all the same. */
  get isEven(): boolean {
    return this.#isEven && this.weigh() === this.weights;
  }

  /** The weights that count now. Good until it is asked again. */
  weigh(): Float64Array {
    const slowStartMs = this.#slowStartMs;
    if (slowStartMs === 0) return this.weights;
    const { upSince, lastUp } = this.#states;
    const now = this.#now();
    if (now - lastUp >= slowStartMs) return this.weights;
    const { weights, size } = this;
    const weighed = this.#weighed;
    const slots = this.#slots;
    for (let index = 0; index < size; index++) {
      const share = (now - upSince[slots[index]!]!) / slowStartMs;
      weighed[index] = weights[index]! * (share >= 1 ? 1 : Math.max(LEAST_SHARE, share));
    }
    return weighed;
  }

  /** Whether one that has not been tried takes nothing more, and would otherwise. */
  hasFull(tried: Tried): boolean {
    const { flags } = this.#states;
    for (let index = 0; index < this.size; index++) {
      const takes = flags[this.#slots[index]!]! < DRAINED && (tried === null || tried[index] === 0);
      if (takes && this.#open(index) >= this.#limits[index]!) return true;
    }
    return false;
  }

  /** Connections that a server has, of all workers. */
  #open(index: number): number {
    return this.#states.total[this.#slots[index]!]!;
  }
}

/** What a server that has just come up gets of its weight: without any it would never be found to work. */
const LEAST_SHARE = 0.01;
