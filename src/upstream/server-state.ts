// What a worker knows of each server beside its configuration: one object per server of a service, which everything that dials it shares,
// and which stays the same over reloads. What a choice among servers looks at stands in arrays: a thousand objects take five times as long.

import type { Passive } from "./health.ts";

export type Health = "unknown" | "up" | "down";

/** What the master says of a server. */
export interface ServerReport {
  /** Service and address in one word, as in `Target`. */
  readonly key: string;
  /** `unknown`: nobody has looked, or it is configured no more. */
  readonly health: Health;
  /** The master has been told to send nobody there, whatever the configuration says. */
  readonly isDraining: boolean;
  /** When it came up again after it had been down (Unix time in milliseconds); 0: it has not been down. */
  readonly upSince: number;
}

/** What has changed with one. */
export type ServerChange = Pick<ServerReport, "key"> & Partial<ServerReport>;

/** Of which nothing is known. */
export const NEW_SERVER: Omit<ServerReport, "key"> = { health: "unknown", isDraining: false, upSince: 0 };

/** Flags of a server. Without any it takes connections. */
export const DOWN = 1;
/** This worker has seen it fail itself. */
export const AVOIDED = 2;
/** From here on it takes none in any case: its configuration says `drain`, or the master has been told to drain it. */
export const DRAINED = 4;
const ORDERED = 8;

export class ServerState {
  readonly key: string;
  /** Where its numbers stand in the arrays of `ServerStates`. */
  readonly slot: number;
  readonly #states: ServerStates;
  /** Labels of metrics; "" while no service with the server has been used. */
  service = "";
  address = "";
  #health: Health = "unknown";
  #open = 0;
  /** Whether other workers have to know what it has open. */
  #isCounted = false;
  /** Connections of this worker that are over, by how they ended there; null: none is. */
  ended: Map<string, number> | null = null;
  /** Dials that have failed since one that did not, within a window. */
  #failures = 0;
  #windowEnd = 0;
  /** Connections that it has not answered since one that it has. */
  #unanswered = 0;
  /** It has come back, and no client has had an answer here since: the master leaves it alone for longer if it fails before. */
  #isUnproven = false;
  /** This worker itself has seen it fail, and the master has said nothing of it yet; 0: not so. By the clock of `performance.now()`. */
  #avoidedUntil = 0;

  constructor(key: string, slot: number, states: ServerStates) {
    this.key = key;
    this.slot = slot;
    this.#states = states;
  }

  get health(): Health {
    return this.#health;
  }

  set health(health: Health) {
    this.#health = health;
    this.#flag(DOWN, health === "down");
  }

  /** Its configuration says `drain`. */
  set isDrained(isDrained: boolean) {
    this.#flag(DRAINED, isDrained);
  }

  /** The master has been told to drain it, whatever its configuration says. */
  set isOrderedToDrain(isOrdered: boolean) {
    this.#flag(ORDERED, isOrdered);
  }

  /** Connections of this worker, from the choice of the server on. */
  get open(): number {
    return this.#open;
  }

  set open(open: number) {
    const { total } = this.#states;
    total[this.slot] = total[this.slot]! + open - this.#open;
    this.#open = open;
    if (this.#isCounted) this.#states.onOpen?.(this);
  }

  /** From now on other workers have to know what it has open. */
  count(): void {
    this.#isCounted = true;
    if (this.#open > 0) this.#states.onOpen?.(this);
  }

  /** Connections of the other workers, as they were last told. */
  get elsewhere(): number {
    return this.#states.total[this.slot]! - this.#open;
  }

  set elsewhere(elsewhere: number) {
    this.#states.total[this.slot] = this.#open + elsewhere;
  }

  /** From when on it grows to its weight where the service has `slowStart` (Unix time in milliseconds); 0: it was always there. */
  get upSince(): number {
    return this.#states.upSince[this.slot]!;
  }

  set upSince(upSince: number) {
    const states = this.#states;
    states.upSince[this.slot] = upSince;
    states.lastUp = Math.max(states.lastUp, upSince);
  }

  /** Nobody is sent there, come what may. */
  get isDraining(): boolean {
    return this.#states.flags[this.slot]! >= DRAINED;
  }

  /** Whether a connection goes there while there are others. */
  get isUsable(): boolean {
    this.#states.pardon();
    return this.#states.flags[this.slot] === 0;
  }

  get isIdle(): boolean {
    return this.#health === "unknown" && this.isUsable && this.open === 0 && this.elsewhere === 0;
  }

  /** Whether it is news that it answers. */
  get isTroubled(): boolean {
    return this.health === "down" || this.#failures > 0 || this.#unanswered > 0 || this.#isUnproven;
  }

  /** The master's word of it. It ends this worker's own opinion, unless it is what the master has said before. True: it is not down any more. */
  told({ health, isDraining, upSince }: Omit<ServerReport, "key">): boolean {
    const isBetter = health !== this.health && health !== "down";
    if (health !== this.health) this.#forgive();
    this.#isUnproven = this.#isUnproven || (health === "up" && this.health === "down");
    this.health = health;
    this.isOrderedToDrain = isDraining;
    // One that was added later counts from then on, also when it is told of for the first time.
    this.upSince = Math.max(this.upSince, upSince);
    return isBetter;
  }

  /** A dial has failed, and not for a shortage of our own. */
  failed({ failures, windowMs, coolDownMs }: Passive, now = performance.now()): void {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + windowMs;
      this.#failures = 0;
    }
    this.#failures++;
    if (failures > 0 && this.#failures >= failures) this.#avoid(now + coolDownMs);
  }

  /** A dial has succeeded: of a server that does not answer what it is asked, that says nothing yet. */
  reached(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (this.#unanswered === 0) this.#avoid(0);
  }

  /** It has closed a connection before its first byte, or has sent nothing for too long. */
  leftUnanswered({ unanswered, coolDownMs }: Passive, now = performance.now()): void {
    this.#unanswered++;
    if (unanswered > 0 && this.#unanswered >= unanswered) this.#avoid(now + coolDownMs);
  }

  /** It has answered a client. */
  answered(): void {
    if (this.isTroubled) this.#forgive();
  }

  /** A connection that counts as open is over. */
  left(result: string): void {
    this.open--;
    this.ended ??= new Map();
    this.ended.set(result, (this.ended.get(result) ?? 0) + 1);
  }

  #forgive(): void {
    this.#failures = 0;
    this.#unanswered = 0;
    this.#isUnproven = false;
    this.#avoid(0);
  }

  /** By now the time may be over for which this worker avoids it. */
  pardon(now: number): void {
    if (now >= this.#avoidedUntil) this.#avoid(0);
  }

  #avoid(until: number): void {
    if (until === this.#avoidedUntil) return;
    this.#avoidedUntil = until;
    this.#flag(AVOIDED, until > 0);
    if (until > 0) this.#states.avoided.add(this);
    else this.#states.avoided.delete(this);
  }

  #flag(flag: number, isOn: boolean): void {
    const states = this.#states;
    const former = states.flags[this.slot]!;
    const flags = isOn ? former | flag : former & ~flag;
    states.flags[this.slot] = flags;
    states.flagged += (flags === 0 ? 0 : 1) - (former === 0 ? 0 : 1);
  }
}

const FIRST_SLOTS = 64;

/** The states of a worker's servers. The arrays are replaced when there are more servers: who reads them asks for them each time. */
export class ServerStates {
  flags = new Uint8Array(FIRST_SLOTS);
  /** Open connections, of this worker and of the others. */
  total = new Int32Array(FIRST_SLOTS);
  upSince = new Float64Array(FIRST_SLOTS);
  /** How many have a flag. */
  flagged = 0;
  /** When the last one came up. */
  lastUp = 0;
  /** Those that this worker avoids for a time. */
  readonly avoided = new Set<ServerState>();
  /** Told of each counted server whose open connections have changed. */
  onOpen: ((state: ServerState) => void) | null = null;
  readonly #states = new Map<string, ServerState>();
  #slots = 0;
  readonly #free: number[] = [];

  /** Ends what has lasted long enough: before the flags are looked at. */
  pardon(): void {
    if (this.avoided.size === 0) return;
    const now = performance.now();
    for (const state of this.avoided) state.pardon(now);
  }

  /** The one state of a server of a service. */
  ofServer(key: string, service: string, address: string): ServerState {
    const state = this.of(key);
    state.service = service;
    state.address = address;
    return state;
  }

  /** The one state of that server. */
  of(key: string): ServerState {
    let state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, (state = new ServerState(key, this.#slot(), this)));
    return state;
  }

  /** Whether it is configured, or anything is known of it. */
  has(key: string): boolean {
    return this.#states.has(key);
  }

  /** It may come before the configuration that has the server. True: one is not down any more. */
  put(reports: readonly ServerReport[]): boolean {
    let isBetter = false;
    for (const report of reports) if (this.of(report.key).told(report)) isBetter = true;
    return isBetter;
  }

  /** The servers that are configured, and whether each is drained. Others of which nothing is known are forgotten. */
  keep(configured: ReadonlyMap<string, boolean>): void {
    for (const [key, state] of this.#states) {
      state.isDrained = configured.get(key) ?? false;
      if (!state.isIdle || configured.has(key)) continue;
      this.#states.delete(key);
      this.#free.push(state.slot);
    }
    for (const [key, isDrained] of configured) if (isDrained) this.of(key).isDrained = true;
  }

  [Symbol.iterator](): Iterator<ServerState> {
    return this.#states.values();
  }

  #slot(): number {
    const slot = this.#free.pop() ?? this.#slots++;
    if (slot === this.flags.length) {
      this.flags = grown(this.flags, new Uint8Array(slot * 2));
      this.total = grown(this.total, new Int32Array(slot * 2));
      this.upSince = grown(this.upSince, new Float64Array(slot * 2));
    }
    this.upSince[slot] = 0;
    return slot;
  }
}

function grown<T extends Uint8Array | Int32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
