// What a worker knows of each server beside its configuration: one object per server of a service, which everything that dials it shares,
// and which stays the same over reloads.

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
  /** Connections that the other workers have open to it. */
  readonly elsewhere: number;
  /** When it came up again after it had been down (Unix time in milliseconds); 0: it has not been down. */
  readonly upSince: number;
}

/** What has changed with one. */
export type ServerChange = Pick<ServerReport, "key"> & Partial<ServerReport>;

/** Of which nothing is known. */
export const NEW_SERVER: Omit<ServerReport, "key"> = { health: "unknown", isDraining: false, elsewhere: 0, upSince: 0 };

export class ServerState {
  readonly key: string;
  /** Labels of metrics; "" while no service with the server has been used. */
  service = "";
  address = "";
  health: Health = "unknown";
  /** Its configuration says `drain`. */
  isDrained = false;
  /** The master has been told to drain it, whatever its configuration says. */
  isOrderedToDrain = false;
  /** Connections of this worker, from the choice of the server on. */
  open = 0;
  /** Connections of the other workers, as they were last told. */
  elsewhere = 0;
  upSince = 0;
  /** Connections of this worker that are over, by how they ended there; null: none is. */
  ended: Map<string, number> | null = null;
  /** Dials that have failed since one that did not, within a window. */
  #failures = 0;
  #windowEnd = 0;
  /** Connections that it has not answered since one that it has. */
  #unanswered = 0;
  /** This worker itself has seen it fail, and the master has said nothing of it yet; 0: not so. By the clock of `performance.now()`. */
  #avoidedUntil = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** Nobody is sent there, come what may. */
  get isDraining(): boolean {
    return this.isDrained || this.isOrderedToDrain;
  }

  /** Whether a connection goes there while there are others. */
  get isUsable(): boolean {
    return this.health !== "down" && !this.isDraining && !this.#isAvoided();
  }

  get isIdle(): boolean {
    return this.health === "unknown" && !this.isDraining && this.open === 0 && this.elsewhere === 0;
  }

  /** Whether it is news that it answers. */
  get isTroubled(): boolean {
    return this.health === "down" || this.#failures > 0 || this.#unanswered > 0;
  }

  /** The master's word of it. It ends this worker's own opinion, unless it is what the master has said before. */
  told({ health, isDraining, elsewhere, upSince }: Omit<ServerReport, "key">): void {
    if (health !== this.health) this.#forgive();
    this.health = health;
    this.isOrderedToDrain = isDraining;
    this.elsewhere = elsewhere;
    this.upSince = upSince;
  }

  /** A dial has failed, and not for a shortage of our own. */
  failed({ failures, windowMs, coolDownMs }: Passive, now = performance.now()): void {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + windowMs;
      this.#failures = 0;
    }
    this.#failures++;
    if (failures > 0 && this.#failures >= failures) this.#avoidedUntil = now + coolDownMs;
  }

  /** A dial has succeeded: of a server that does not answer what it is asked, that says nothing yet. */
  reached(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (this.#unanswered === 0) this.#avoidedUntil = 0;
  }

  /** It has closed a connection before its first byte, or has sent nothing for too long. */
  leftUnanswered({ unanswered, coolDownMs }: Passive, now = performance.now()): void {
    this.#unanswered++;
    if (unanswered > 0 && this.#unanswered >= unanswered) this.#avoidedUntil = now + coolDownMs;
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
    this.#avoidedUntil = 0;
  }

  #isAvoided(): boolean {
    if (this.#avoidedUntil === 0) return false;
    if (performance.now() < this.#avoidedUntil) return true;
    this.#avoidedUntil = 0;
    return false;
  }
}

/** The states of a worker's servers. */
export class ServerStates {
  readonly #states = new Map<string, ServerState>();

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
    if (state === undefined) this.#states.set(key, (state = new ServerState(key)));
    return state;
  }

  /** It may come before the configuration that has the server. */
  put(reports: readonly ServerReport[]): void {
    for (const report of reports) this.of(report.key).told(report);
  }

  /** The servers that are configured, and whether each is drained. Others of which nothing is known are forgotten. */
  keep(configured: ReadonlyMap<string, boolean>): void {
    for (const [key, state] of this.#states) {
      state.isDrained = configured.get(key) ?? false;
      if (state.isIdle && !configured.has(key)) this.#states.delete(key);
    }
    for (const [key, isDrained] of configured) if (isDrained) this.of(key).isDrained = true;
  }

  [Symbol.iterator](): Iterator<ServerState> {
    return this.#states.values();
  }
}
