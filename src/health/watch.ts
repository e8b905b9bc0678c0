// Watches servers: checks those that are to be checked, dials those that are to come back, and hears what clients' connections tell.
// Checks are spread over their interval, and only so many run at a time, however many servers there are.

import { createHash, randomBytes } from "node:crypto";
import { Deadlines } from "../net/deadlines.ts";
import { Dialer } from "../net/dial.ts";
import { HostLookup } from "../net/resolve.ts";
import type { ServerOutcome } from "../protocol/messages.ts";
import { ClientContexts } from "../upstream/client-contexts.ts";
import type { HealthCheck, TcpTalk } from "../upstream/health.ts";
import { Probe, type ProbeDone, type ProbeRequest, type ProbeTools } from "./probe.ts";
import { type HealthRules, ServerHealth } from "./server-health.ts";
import { type Conversation, MqttConversation, TcpConversation } from "./talk.ts";
import { type CheckResult, isOwnShortage, resultOf, type Verdict } from "./verdict.ts";
import type { Watched } from "./watched.ts";

/** How a server is now. */
export interface WatchedState {
  readonly watched: Watched;
  readonly health: ServerHealth;
  /** Of the last good check, in milliseconds; null: there was none. */
  readonly latencyMs: number | null;
  readonly results: ReadonlyMap<CheckResult, number>;
}

export interface WatchEvents {
  /** `before`: its former health. */
  onChange(state: WatchedState, before: ServerHealth["health"]): void;
  /** It is well, but does not let the check in; not told again until that has changed. */
  onRefusedCheck(state: WatchedState, detail: string): void;
}

/** Runs one check; the function that comes back cancels it. */
export type RunProbe = (request: ProbeRequest, done: ProbeDone) => () => void;

/** Checks at a time: what servers that fall silent can keep in descriptors. */
export const MAX_RUNNING = 64;
/** After a client has been answered by a server that is down, it is checked so soon, in milliseconds. */
const HURRY_MS = 1000;
/** How long a dial that is to bring a server back may take, in milliseconds. */
const RECOVERY_MS = 5000;
/** Bytes of a hash in client ids: with the prefix they have the 23 characters that 3.1 allows. */
const ID_BYTES = 8;

/** Only that a connection opens. */
const CONNECTS: TcpTalk = { kind: "tcp", send: "", expect: "" };

interface Entry {
  watched: Watched;
  readonly health: ServerHealth;
  latencyMs: number | null;
  readonly results: Map<CheckResult, number>;
  timer: ReturnType<typeof setTimeout> | null;
  /** Ends the check that runs. */
  cancel: (() => void) | null;
  isQueued: boolean;
  startedAt: number;
  /** The next check comes at any time within its interval, so that those of many servers spread. */
  isSpread: boolean;
  refusal: string | null;
}

export class Watch {
  readonly #events: WatchEvents;
  readonly #run: RunProbe;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: Entry[] = [];
  #running = 0;
  #isClosed = false;
  /** Of this Sluice alone. */
  readonly #instance = randomBytes(ID_BYTES);

  constructor(events: WatchEvents, run: RunProbe = prober(), random: () => number = Math.random) {
    this.#events = events;
    this.#run = run;
    this.#random = random;
  }

  /** The servers from now on. What is known of one that stays, stays. */
  want(all: Iterable<Watched>): void {
    const wanted = new Map([...all].map((each) => [each.key, each]));
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) this.#drop(entry);
    for (const [key, watched] of wanted) {
      const entry = this.#entries.get(key);
      if (entry === undefined) this.#add(watched);
      else if (!Bun.deepEquals(entry.watched, watched)) this.#change(entry, watched);
    }
  }

  /** What the connections of clients have told. */
  heard(outcomes: readonly ServerOutcome[]): void {
    // What went well last, whatever order it had in its batch: a server that serves somebody is not taken out.
    const inOrder = [...outcomes].sort((a, b) => Number(a.outcome === "answered") - Number(b.outcome === "answered"));
    for (const { key, outcome, count } of inOrder) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const before = entry.health.health;
      const hasChanged = entry.health.connected(outcome, count, performance.now());
      if (hasChanged) this.#changed(entry, before);
      const { check } = entry.watched;
      if (entry.health.health !== "down") continue;
      if (hasChanged)
        this.#in(
          entry,
          check === null ? entry.health.coolDownMs : Math.min(check.unhealthyIntervalMs, entry.health.coolDownMs),
        );
      else if (outcome === "answered" && performance.now() - entry.startedAt > HURRY_MS) this.#enqueue(entry);
    }
  }

  states(): Iterable<WatchedState> {
    return this.#entries.values();
  }

  stateOf(key: string): WatchedState | null {
    return this.#entries.get(key) ?? null;
  }

  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries.values()) this.#drop(entry);
  }

  #add(watched: Watched): void {
    const entry: Entry = {
      watched,
      health: new ServerHealth(rulesOf(watched)),
      latencyMs: null,
      results: new Map(),
      timer: null,
      cancel: null,
      isQueued: false,
      startedAt: Number.NEGATIVE_INFINITY,
      isSpread: false,
      refusal: null,
    };
    this.#entries.set(watched.key, entry);
    if (watched.check !== null) this.#enqueue(entry);
  }

  #change(entry: Entry, watched: Watched): void {
    this.#halt(entry);
    entry.watched = watched;
    entry.health.rules = rulesOf(watched);
    if (watched.check !== null) this.#enqueue(entry);
    else if (entry.health.health === "down") this.#in(entry, entry.health.coolDownMs);
  }

  #drop(entry: Entry): void {
    this.#halt(entry);
    this.#entries.delete(entry.watched.key);
  }

  #halt(entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    if (entry.isQueued) this.#queue.splice(this.#queue.indexOf(entry), 1);
    entry.isQueued = false;
    if (entry.cancel === null) return;
    entry.cancel();
    entry.cancel = null;
    this.#running--;
    this.#next();
  }

  #in(entry: Entry, ms: number): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = setTimeout(() => {
      entry.timer = null;
      this.#enqueue(entry);
    }, ms);
    entry.timer.unref();
  }

  #enqueue(entry: Entry): void {
    if (entry.isQueued || entry.cancel !== null) return;
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    entry.isQueued = true;
    this.#queue.push(entry);
    this.#next();
  }

  #next(): void {
    while (!this.#isClosed && this.#running < MAX_RUNNING) {
      const entry = this.#queue.shift();
      if (entry === undefined) return;
      entry.isQueued = false;
      this.#running++;
      entry.startedAt = performance.now();
      entry.cancel = this.#run(requestOf(entry.watched, this.#clientIdOf(entry.watched)), (verdict, ms) => {
        entry.cancel = null;
        this.#running--;
        this.#judge(entry, verdict, ms);
        this.#next();
      });
    }
  }

  #judge(entry: Entry, verdict: Verdict, ms: number): void {
    const result = resultOf(verdict);
    entry.results.set(result, (entry.results.get(result) ?? 0) + 1);
    const isFailed = verdict.kind === "failed";
    if (!isFailed) entry.latencyMs = ms;
    const { health, watched } = entry;
    const before = health.health;
    const isVoid = isFailed && isOwnShortage(verdict.reason);
    const hasChanged = !isVoid && health.checked(isFailed ? verdict.detail : null, performance.now());
    this.#remark(entry, verdict);
    if (hasChanged) this.#changed(entry, before);
    const { check } = watched;
    if (check !== null) this.#in(entry, this.#wait(entry, check, isFailed && !isVoid, ms));
    else if (health.health === "down") this.#in(entry, health.coolDownMs);
  }

  /** An interval goes from the beginning of one check to that of the next. */
  #wait(entry: Entry, check: HealthCheck, isFailed: boolean, tookMs: number): number {
    const interval = isFailed ? check.unhealthyIntervalMs : check.intervalMs;
    const whole = entry.isSpread ? interval : interval * this.#random();
    entry.isSpread = true;
    return Math.max(0, whole - tookMs);
  }

  #remark(entry: Entry, verdict: Verdict): void {
    const detail = verdict.kind === "alive" ? verdict.detail : null;
    // What fails for a while says nothing of it.
    if (verdict.kind === "failed" || entry.refusal === detail) return;
    entry.refusal = detail;
    if (detail !== null) this.#events.onRefusedCheck(entry, detail);
  }

  #changed(entry: Entry, before: ServerHealth["health"]): void {
    this.#events.onChange(entry, before);
  }

  #clientIdOf({ key }: Watched): string {
    return `sluice-${createHash("sha256")
      .update(this.#instance)
      .update(key)
      .digest("hex")
      .slice(0, 2 * ID_BYTES)}`;
  }
}

function rulesOf({ check, passive }: Watched): HealthRules {
  return { check, passive };
}

function requestOf({ server, transport, check }: Watched, clientId: string): ProbeRequest {
  return {
    server,
    transport,
    port: check?.port ?? null,
    timeoutMs: check?.timeoutMs ?? RECOVERY_MS,
    conversation: conversationOf(check, clientId),
  };
}

function conversationOf(check: HealthCheck | null, clientId: string): Conversation {
  const talk = check?.talk ?? CONNECTS;
  return talk.kind === "mqtt" ? new MqttConversation(talk, clientId) : new TcpConversation(talk);
}

/** Checks over real connections. */
export function prober(): RunProbe {
  const deadlines = new Deadlines();
  const tools: ProbeTools = {
    deadlines,
    dialer: new Dialer(deadlines),
    lookup: new HostLookup(),
    contexts: new ClientContexts(),
  };
  return (request, done) => {
    const probe = new Probe(tools, request, done);
    probe.start();
    return () => probe.cancel();
  };
}

/** One check now, as the watch would do it; `clientId` where the configuration has none. */
export function checkOnce(
  run: RunProbe,
  watched: Watched,
): Promise<{ readonly verdict: Verdict; readonly ms: number }> {
  const clientId = `sluice-${randomBytes(ID_BYTES).toString("hex")}`;
  return new Promise((resolve) => run(requestOf(watched, clientId), (verdict, ms) => resolve({ verdict, ms })));
}
