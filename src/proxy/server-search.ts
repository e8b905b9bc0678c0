// The search for a server: tries those of the choice in its order until one is reached. A server that is slow gives way to the next one,
// and goes on beside it: where all are slow, as over a far line, the first is still the first that can be there.

import type { Timed } from "../net/deadlines.ts";
import { type DialError, isShortage } from "../net/dial-error.ts";
import type { NativeSocket } from "../net/socket.ts";
import { DEFAULT_PASSIVE } from "../upstream/health.ts";
import type { ServerState } from "../upstream/server-state.ts";
import { type Choice, dialBudgetOf, type Target } from "../upstream/service.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { Edge } from "./edge.ts";

/** How long a server is waited for before the next one is tried too. */
const GIVE_WAY_MS = 1000;

export interface SearchOwner {
  /** The PROXY header for a server, asked for before it is dialled; null: none. It may stop the search. */
  headerFor(target: Target): Buffer | null;
  /**
   * The socket belongs to NOBODY until its owner is set, which must happen now. `header` is still to be sent; null: there is none, or the
   * server has had it before its TLS. The connection counts as one of the server's, and whoever ends it says so (`ServerState.left`).
   */
  onServerOpen(target: Target, socket: NativeSocket, header: Buffer | null): void;
  /** No server could be reached, or no further one may be tried. `isDown`: all have been tried, and each has failed by its own fault. */
  onNoServer(isDown: boolean): void;
}

export class ServerSearch implements AttemptOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #edge: Edge;
  readonly #choice: Choice;
  readonly #owner: SearchOwner;
  /** Given by the choice, and to be tried next. */
  #first: Target | null;
  /** Of two that are under way, the one that has given way. */
  #older: Attempt | null = null;
  #newer: Attempt | null = null;
  /** All that have failed: those that are down come last, and they are among them by then. */
  #tried: Set<ServerState> | null = null;
  /** How much of the budget is left when no dial is under way. Milliseconds. */
  #budgetMs: number;
  #startedAt = 0;
  #isLast = false;
  /** Each server so far has failed by its own fault. */
  #isDown = true;

  /** `first` is what `choice` has given first; the budget is that of its transport. */
  constructor(edge: Edge, choice: Choice, first: Target, owner: SearchOwner) {
    this.#edge = edge;
    this.#choice = choice;
    this.#first = first;
    this.#owner = owner;
    this.#budgetMs = dialBudgetOf(first.transport);
  }

  /** Begins, or goes on with the next server where one that was reached was of no use. */
  start(): void {
    this.#startedAt = performance.now();
    this.#advance();
  }

  /** What is under way is the last try: after it no further address and no further server is dialled. */
  last(): void {
    this.#isLast = true;
    this.#older?.last();
    this.#newer?.last();
  }

  /** The server that was reached is of no use: it does not count as one that cannot be dialled, and is not tried again. */
  reject(target: Target): void {
    this.#isDown = false;
    this.#note(target);
  }

  /** Gives up what is under way; the owner hears nothing more. */
  stop(): void {
    this.#edge.deadlines.clear(this);
    this.#older?.cancel(false);
    this.#newer?.cancel(false);
    this.#older = this.#newer = null;
  }

  /** The newest one is slow, or the budget is spent. */
  onDeadline(): void {
    if (performance.now() - this.#startedAt < this.#budgetMs) return this.#advance();
    const [older, newer] = [this.#older, this.#newer];
    this.#older = this.#newer = null;
    for (const attempt of [older, newer]) if (attempt !== null) this.#giveUp(attempt);
    this.#owner.onNoServer(this.#next() === null && this.#areAllDown);
  }

  onAttemptOpen(attempt: Attempt, socket: NativeSocket, header: Buffer | null, durationMs: number): void {
    const edge = this.#edge;
    edge.deadlines.clear(this);
    this.#budgetMs -= performance.now() - this.#startedAt;
    const [older, newer] = [this.#older, this.#newer];
    this.#older = this.#newer = null;
    // One that a later one has overtaken has had its second.
    if (older !== null && older !== attempt) this.#giveUp(older);
    if (newer !== attempt) newer?.cancel(false);
    const { target } = attempt;
    target.state.reached();
    this.#choice.reached(target);
    edge.observer.onDial(target, durationMs);
    this.#owner.onServerOpen(target, socket, header);
  }

  onAttemptFailed(attempt: Attempt, reason: DialError): void {
    this.#failed(attempt, reason);
    if (attempt === this.#older) {
      this.#older = null;
      // The newer one has its second first.
      if (this.#newer !== null) return;
    } else this.#newer = null;
    this.#advance();
  }

  /** Tries the next server. Where there is none, what is under way has the rest of the time. */
  #advance(): void {
    const target = this.#isLast ? null : this.#next();
    const { deadlines } = this.#edge;
    const leftMs = Math.max(0, this.#budgetMs - (performance.now() - this.#startedAt));
    if (target === null) {
      if (this.#older !== null || this.#newer !== null) return deadlines.set(this, leftMs);
      deadlines.clear(this);
      return this.#owner.onNoServer(this.#areAllDown);
    }
    const attempt = new Attempt(this.#edge, target, this);
    const oldest = this.#newer === null ? null : this.#older;
    this.#older = this.#newer ?? this.#older;
    this.#newer = attempt;
    // Two at a time: each has a descriptor. By now it has had two seconds.
    if (oldest !== null) this.#giveUp(oldest);
    const header = this.#owner.headerFor(target);
    if (this.#newer !== attempt) return; // the owner has stopped the search
    deadlines.set(this, Math.min(GIVE_WAY_MS, leftMs));
    attempt.start(header);
  }

  /** The next server that has not been tried. */
  #next(): Target | null {
    const first = this.#first;
    if (first !== null) {
      this.#first = null;
      return first;
    }
    for (;;) {
      const target = this.#choice.next() ?? this.#choice.lastResort();
      if (target === null || !this.#isTried(target)) return target;
    }
  }

  /** A server that only has all of its connections is not down. */
  get #areAllDown(): boolean {
    return this.#isDown && !this.#isLast && !this.#choice.wasFull;
  }

  #isTried({ state }: Target): boolean {
    return this.#tried?.has(state) || this.#older?.target.state === state || this.#newer?.target.state === state;
  }

  #giveUp(attempt: Attempt): void {
    attempt.cancel(true);
    this.#failed(attempt, "timeout");
  }

  #failed({ target }: Attempt, reason: DialError): void {
    this.#note(target);
    if (isShortage(reason)) this.#isDown = false;
    else target.state.failed(target.passive ?? DEFAULT_PASSIVE);
    this.#edge.observer.onDialFailed(target, reason);
  }

  #note({ state }: Target): void {
    this.#tried ??= new Set();
    this.#tried.add(state);
  }
}
