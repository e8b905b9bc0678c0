// How the workers are, by what they say: each says once a second that it lives (BEAT_MS), and anything else that it says counts too. Here is
// who is well, who is to be steered around, and who hangs.

import { BEAT_MS } from "../protocol/messages.ts";

/** How often the workers are looked at. Milliseconds. */
export const LOOK_MS = 250;
/** One that has said nothing for this long gets no new connections. Milliseconds. */
const SILENT_MS = 2.5 * BEAT_MS;
/**
 * One that has said nothing for this long hangs. With the start of the next worker, who waits in its queue has waited less than 6 s.
 * Milliseconds.
 */
const HUNG_MS = 4.5 * BEAT_MS;
/** The same for one that has not yet begun to accept: it reads the configuration, and a machine that starts is busy. Milliseconds. */
const START_MS = 60_000;
/** One that waits for a processor more than this part of its silence does not hang: the machine is overloaded. */
const STARVED = 0.5;
/** It hangs all the same after so many times HUNG_MS. */
const PATIENCE = 4;
/** When the look comes this late, the master itself was held up, and what workers have said is still unread. Milliseconds. */
const LATE_MS = 1000;
/** /ping says that all is not well when no worker has been for this long: one that dies is replaced sooner. Milliseconds. */
const LOST_MS = 1000;

/** What a worker has waited for a processor so far, in milliseconds; null where the system does not say. */
export type WaitedForCpu = (pid: number) => number | null;

interface Pulse {
  readonly pid: number;
  isServing: boolean;
  heardAt: number;
  /** When it fell silent, what it had waited for a processor; null: it is not silent. */
  waitedBefore: { readonly ms: number | null } | null;
}

export class Liveness {
  readonly #waitedForCpu: WaitedForCpu;
  readonly #now: () => number;
  readonly #pulses = new Map<number, Pulse>();
  #lookedAt: number;
  #wellAt: number;

  /** @param now the clock, in milliseconds */
  constructor(waitedForCpu: WaitedForCpu, now = () => performance.now()) {
    this.#waitedForCpu = waitedForCpu;
    this.#now = now;
    this.#lookedAt = this.#wellAt = now();
  }

  started(index: number, pid: number): void {
    this.#pulses.set(index, { pid, isServing: false, heardAt: this.#now(), waitedBefore: null });
  }

  /** It accepts connections. */
  serves(index: number): void {
    const pulse = this.#pulses.get(index);
    if (pulse !== undefined) pulse.isServing = true;
  }

  /** It has said something. True: it was silent before. */
  heard(index: number): boolean {
    const pulse = this.#pulses.get(index);
    if (pulse === undefined) return false;
    pulse.heardAt = this.#now();
    const wasSilent = pulse.waitedBefore !== null;
    pulse.waitedBefore = null;
    return wasSilent;
  }

  gone(index: number): void {
    this.#pulses.delete(index);
  }

  /** It accepts connections, and answers. */
  isWell(index: number): boolean {
    const pulse = this.#pulses.get(index);
    return pulse?.isServing === true && pulse.waitedBefore === null;
  }

  /** Milliseconds since it last said anything; null: it does not run. */
  silentMs(index: number): number | null {
    const pulse = this.#pulses.get(index);
    return pulse === undefined ? null : this.#now() - pulse.heardAt;
  }

  /** Whether new connections are served, or will be in a moment. */
  get areServed(): boolean {
    for (const index of this.#pulses.keys()) if (this.isWell(index)) return true;
    return this.#now() - this.#wellAt < LOST_MS;
  }

  /** The workers that hang. To be asked every LOOK_MS. */
  look(): number[] {
    const now = this.#now();
    const isLate = now - this.#lookedAt > LATE_MS + LOOK_MS;
    this.#lookedAt = now;
    const hung: number[] = [];
    for (const [index, pulse] of this.#pulses) {
      if (isLate) pulse.heardAt = now;
      const silent = now - pulse.heardAt;
      if (silent >= SILENT_MS && pulse.waitedBefore === null)
        pulse.waitedBefore = { ms: this.#waitedForCpu(pulse.pid) };
      if (silent >= (pulse.isServing ? HUNG_MS : START_MS) && !this.#isStarved(pulse, silent)) hung.push(index);
      if (this.isWell(index)) this.#wellAt = now;
    }
    return hung;
  }

  #isStarved({ pid, waitedBefore }: Pulse, silent: number): boolean {
    if (silent >= PATIENCE * HUNG_MS || waitedBefore === null || waitedBefore.ms === null) return false;
    const waited = (this.#waitedForCpu(pid) ?? 0) - waitedBefore.ms;
    return waited > STARVED * (silent - SILENT_MS);
  }
}
