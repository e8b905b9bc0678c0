// Keeps the workers running: starts them, brings each to the snapshot in force, replaces the dead, collects what they count.

import type { Subprocess } from "bun";
import { addUp, type MetricJson, onlyTotals, sumOf } from "../observe/metric-json.ts";
import { diff, NO_ROWS, type RowMap } from "../protocol/diff.ts";
import type { Answers, Asked, DrainPace, FromWorker, Question, ServerOutcome, ToWorker } from "../protocol/messages.ts";
import type { Shares } from "../protocol/shares.ts";
import { type Standing, standingOf, waitedForCpu } from "../system/processes.ts";
import { FIRST_INHERITED, spawnSelf } from "../system/spawn.ts";
import { NEW_SERVER, type ServerChange, type ServerReport } from "../upstream/server-state.ts";
import { Liveness, LOOK_MS } from "./liveness.ts";
import { Questions } from "./questions.ts";
import { Restarts } from "./restarts.ts";
import { Settling } from "./settling.ts";
import { Sharing } from "./sharing.ts";
import type { Sockets } from "./sockets.ts";
import type { CommonSettings } from "./worker-settings.ts";

/** How long a worker that was killed may take to be gone: one whose thread waits for a frozen file system cannot end. Milliseconds. */
const GONE_MS = 1000;

/** What a worker's open connections are called among what it tells. */
const OPEN = "sluice_entrypoint_open_connections";

/** The state of a process that a debugger has stopped (proc(5)). */
const TRACED = "t";

export interface SupervisorEvents {
  /** A worker accepts connections. */
  onListening(index: number): void;
  /** A worker could not accept connections. */
  onFailed(index: number, entryPoint: string, error: Pick<NodeJS.ErrnoException, "code" | "message">): void;
  onDeath(index: number, pid: number, how: string, restartInMs: number): void;
  /** A worker has said nothing for so long that it hangs. It is killed, unless a debugger holds it. */
  onHung(index: number, pid: number, silentMs: number, standing: Standing | null): void;
  onCommitted(index: number, version: number): void;
  /** How its connections to servers went. */
  onOutcomes(index: number, outcomes: readonly ServerOutcome[]): void;
  /** Connections that have failed, by address. */
  onFailures(failures: Extract<FromWorker, { type: "failures" }>["failures"]): void;
  /** Connections that were refused, and whose they were. */
  onRefused(message: Extract<FromWorker, { type: "refused" }>): void;
  /** A worker has started, or the one of this number is gone. */
  onStarted(index: number): void;
  onGone(index: number): void;
  /** How many of its connections are left that are to end. */
  onLeft(index: number, message: Extract<FromWorker, { type: "left" }>): void;
  /** Its log lines cannot be written; the message is fit for an operator. */
  onLogFault(message: string): void;
}

interface Worker {
  readonly index: number;
  readonly process: Subprocess;
  readonly startedAt: number;
  /** What it has been sent, as the rows it then had. */
  sent: RowMap;
  sending: boolean;
  committed: number;
  /** What it has said is in force. */
  inForce: number;
  /** Its totals as it last told them. */
  metrics: MetricJson[] | null;
  /** It hangs, and that has been said. */
  isHung: boolean;
}

/** How a worker is, for the metrics. */
export interface WorkerState {
  readonly index: number;
  /** It accepts connections, and answers. */
  readonly isWell: boolean;
  /** The version of the configuration that it has; 0 while it has none, or does not run. */
  readonly version: number;
  /** Milliseconds since it last said anything; null: it does not run. */
  readonly silentMs: number | null;
  /** Its open connections, as it last told them. */
  readonly open: number;
}

export class Supervisor {
  readonly #settings: CommonSettings;
  readonly #sockets: Sockets;
  readonly #events: SupervisorEvents;
  readonly #workers = new Map<number, Worker>();
  readonly #restarts: Restarts[];
  readonly #questions = new Questions<Worker>((worker, message) => this.#send(worker, message));
  /** What stands for the workers of other generations, by a number below 0. */
  readonly #neighbours = new Map<number, (shares: Shares) => void>();
  readonly #sharing = new Sharing({
    workers: () => [...this.#workers.keys(), ...this.#neighbours.keys()],
    tell: (index, shares) => {
      const neighbour = this.#neighbours.get(index);
      if (neighbour !== undefined) neighbour(shares);
      else this.#send(this.#workers.get(index)!, { type: "shares", ...shares });
    },
    serviceOf: (name) => {
      const row = this.#rows.get(`service/${name}`);
      return row?.kind === "service" ? row.value : null;
    },
  });
  readonly #settling = new Settling((version) => this.lacking(version));
  readonly #liveness = new Liveness(waitedForCpu);
  #looking: ReturnType<typeof setInterval> | null = null;
  /** All have accepted connections: from then on those that do not are steered around. */
  #areComplete = false;
  /** Numbers of workers whose next start waits, because they have died too often. */
  readonly #resting = new Set<number>();
  /** What is said of servers, by key. */
  readonly #servers = new Map<string, ServerReport>();
  /** The totals of workers that are gone. */
  #retired: MetricJson[] | null = null;
  restarts = 0;
  hangs = 0;
  #rows: RowMap = NO_ROWS;
  #version = 0;
  #stopping = false;

  constructor(count: number, settings: CommonSettings, sockets: Sockets, events: SupervisorEvents) {
    this.#settings = settings;
    this.#sockets = sockets;
    this.#events = events;
    this.#restarts = Array.from({ length: count }, () => new Restarts());
  }

  /** Starts the workers with a first snapshot. */
  start(rows: RowMap): void {
    this.#rows = rows;
    this.#version = 1;
    for (const index of this.#restarts.keys()) this.#spawn(index);
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Brings all workers to a new snapshot. */
  publish(rows: RowMap): number {
    this.#rows = rows;
    this.#version++;
    this.#sharing.settle();
    for (const worker of this.#workers.values()) void this.#bring(worker);
    return this.#version;
  }

  /**
   * Resolves to true when every worker has this version in force, also those that are being replaced; after `patienceMs`, null is for ever,
   * to false.
   */
  settled(version: number, patienceMs: number | null): Promise<boolean> {
    return this.#settling.settled(version, patienceMs);
  }

  /** The numbers of the workers that do not have this version. One that died so often that it waits with its next start serves nobody. */
  lacking(version: number): number[] {
    return [...this.#restarts.keys()].filter(
      (index) => !this.#resting.has(index) && (this.#workers.get(index)?.inForce ?? 0) < version,
    );
  }

  /** How the workers are, in the order of their numbers. */
  states(): WorkerState[] {
    return [...this.#restarts.keys()].map((index) => ({
      index,
      isWell: this.#liveness.isWell(index),
      version: this.#workers.get(index)?.inForce ?? 0,
      silentMs: this.#liveness.silentMs(index),
      open: sumOf(this.#workers.get(index)?.metrics ?? [], OPEN),
    }));
  }

  /** Whether new connections are served, or will be in a moment. */
  get areServed(): boolean {
    return this.#liveness.areServed;
  }

  /**
   * Tells all workers what has changed with servers. What is left out of a change stays as it was last told.
   * @returns what they were told.
   */
  tellServers(changes: readonly ServerChange[]): readonly ServerReport[] {
    const servers = changes.map((change): ServerReport => {
      const report = { ...NEW_SERVER, ...this.#servers.get(change.key), ...change };
      if (report.health === "unknown" && !report.isDraining) this.#servers.delete(report.key);
      else this.#servers.set(report.key, report);
      return report;
    });
    for (const worker of this.#workers.values()) this.#send(worker, { type: "servers", servers });
    return servers;
  }

  /** What workers know of servers. */
  get servers(): readonly ServerReport[] {
    return [...this.#servers.values()];
  }

  /** Workers of another generation share limits with these: `number` is below 0. */
  joinNeighbour(number: number, tell: (shares: Shares) => void): void {
    this.#neighbours.set(number, tell);
    this.#sharing.joined(number);
  }

  /** The same, and it says in which order clients came. */
  followNeighbour(number: number, tell: (shares: Shares) => void): void {
    this.#sharing.follow(number);
    this.joinNeighbour(number, tell);
  }

  leaveNeighbour(number: number): void {
    if (this.#neighbours.delete(number)) this.#sharing.gone(number);
  }

  hearNeighbour(number: number, shares: Shares): void {
    if (this.#neighbours.has(number)) this.#sharing.take(number, shares);
  }

  /** What was counted by processes that are gone, of this generation and of those before. It is counted elsewhere from now on. */
  takeTotals(): MetricJson[] {
    const totals = this.#retired ?? [];
    this.#retired = null;
    return totals;
  }

  /** What others have counted, and is counted here from now on. */
  addTotals(totals: readonly MetricJson[]): void {
    this.#retired = addUp([this.#retired ?? [], totals]);
  }

  /** Tells one worker, or all of them. */
  tell(message: ToWorker, index?: number): void {
    for (const worker of this.#workers.values())
      if (index === undefined || worker.index === index) this.#send(worker, message);
  }

  /** The numbers of the workers that run. */
  get indexes(): number[] {
    return [...this.#workers.keys()];
  }

  get pids(): number[] {
    return [...this.#workers.values()].map((worker) => worker.process.pid);
  }

  /** The counters of every living worker, and those of the dead. Of a hung one its last word counts. */
  async collect(): Promise<MetricJson[][]> {
    const answers = await this.#questions.ask(this.#answering(), "metrics", null);
    for (const [worker, metrics] of answers) worker.metrics = metrics;
    return this.told();
  }

  /** The same as they were last told, at most some seconds ago; nobody is asked. */
  told(): MetricJson[][] {
    return [this.#retired, ...[...this.#workers.values()].map((worker) => worker.metrics)].filter(
      (each) => each !== null,
    );
  }

  /** One that says nothing would be waited for in vain. */
  #answering(): Worker[] {
    return [...this.#workers.values()].filter(({ index }) => this.#liveness.isWell(index));
  }

  /** What each worker answers; one that is hung or dies is left out. */
  async ask<Q extends Question>(question: Q, about: Asked[Q]): Promise<Answers[Q][]> {
    return [...(await this.#questions.ask(this.#answering(), question, about)).values()];
  }

  /** Lets every worker open its log files anew. */
  reopenLogs(): void {
    for (const worker of this.#workers.values()) this.#send(worker, { type: "reopen-logs" });
  }

  /**
   * Lets connections finish for `graceMs`, at this pace, then closes them; a worker that is not gone `patienceMs` later is killed. Resolves when every
   * worker has gone, and a second after the killing in any case.
   */
  async drain(graceMs: number, pace: DrainPace, patienceMs: number): Promise<void> {
    this.#stop();
    const workers = [...this.#workers.values()];
    for (const worker of workers) this.#send(worker, { type: "drain", graceMs, pace });
    const killer = setTimeout(() => this.kill(), graceMs + patienceMs);
    await Promise.race([
      Promise.all(workers.map((worker) => worker.process.exited)),
      Bun.sleep(graceMs + patienceMs + GONE_MS),
    ]);
    clearTimeout(killer);
  }

  /** At once. */
  kill(): void {
    this.#stop();
    for (const worker of this.#workers.values()) worker.process.kill("SIGKILL");
  }

  #stop(): void {
    this.#stopping = true;
    if (this.#looking !== null) clearInterval(this.#looking);
  }

  #spawn(index: number): void {
    this.#resting.delete(index);
    const sockets: number[] = [];
    const entryPoints = this.#settings.entryPoints.map((point) => ({
      ...point,
      sockets: this.#sockets.of(point.name, index).map((fd) => FIRST_INHERITED + sockets.push(fd) - 1),
    }));
    const events = {
      ipc: (message: unknown) => this.#onMessage(worker, message as FromWorker),
      onExit: (code: number | null, signal: string | null) => this.#onExit(worker, signal ?? `exit code ${code}`),
    };
    const worker: Worker = {
      index,
      process: spawnSelf("worker", events, sockets),
      startedAt: performance.now(),
      sent: NO_ROWS,
      sending: false,
      committed: 0,
      inForce: 0,
      metrics: null,
      isHung: false,
    };
    this.#workers.set(index, worker);
    this.#liveness.started(index, worker.process.pid);
    const settings = { ...this.#settings, entryPoints, index, workers: this.#restarts.length };
    this.#send(worker, { type: "start", settings });
    if (this.#servers.size > 0) this.#send(worker, { type: "servers", servers: [...this.#servers.values()] });
    this.#events.onStarted(index);
    void this.#bring(worker);
  }

  /** Sends what is missing, part by part; a snapshot that is published meanwhile is caught up with. */
  async #bring(worker: Worker): Promise<void> {
    if (worker.sending) return;
    worker.sending = true;
    while (worker.committed !== this.#version && this.#workers.get(worker.index) === worker) {
      const rows = this.#rows;
      const version = this.#version;
      for (const part of diff(worker.sent, rows)) {
        this.#send(worker, { type: "rows", ...part });
        await new Promise((next) => setImmediate(next));
      }
      worker.sent = rows;
      worker.committed = version;
      this.#send(worker, { type: "commit", version });
    }
    worker.sending = false;
  }

  #send(worker: Worker, message: ToWorker): void {
    try {
      worker.process.send(message);
    } catch {
      // It is dying; onExit comes.
    }
  }

  #look(): void {
    for (const index of this.#liveness.look()) {
      const worker = this.#workers.get(index)!;
      if (!worker.isHung) this.#onHung(worker);
    }
    this.#steer();
  }

  #onHung(worker: Worker): void {
    const { index, process } = worker;
    worker.isHung = true;
    this.hangs++;
    const standing = standingOf(process.pid);
    this.#events.onHung(index, process.pid, this.#liveness.silentMs(index)!, standing);
    if (standing?.state === TRACED) return;
    process.kill("SIGKILL");
    setTimeout(() => this.#onExit(worker, "SIGKILL, but is not gone yet"), GONE_MS);
  }

  /** Nobody new goes where nobody answers. */
  #steer(): void {
    if (this.#stopping) return;
    const off = [...this.#restarts.keys()].filter((index) => !this.#liveness.isWell(index));
    this.#areComplete ||= off.length === 0;
    if (this.#areComplete) this.#sockets.steer(new Set(off));
  }

  #onMessage(worker: Worker, message: FromWorker): void {
    // Of one that was given up the last word may still come.
    const isCurrent = this.#workers.get(worker.index) === worker;
    if (isCurrent && this.#liveness.heard(worker.index)) {
      worker.isHung = false;
      this.#steer();
    }
    switch (message.type) {
      case "alive":
        return;
      case "listening":
        if (isCurrent) this.#liveness.serves(worker.index);
        this.#sockets.accepted(worker.index);
        this.#steer();
        this.#events.onListening(worker.index);
        return;
      case "failed":
        this.#events.onFailed(worker.index, message.entryPoint, message);
        return;
      case "committed":
        // Before, it knows of no service whose clients it could be told.
        if (worker.inForce === 0) this.#sharing.joined(worker.index);
        worker.inForce = message.version;
        this.#settling.look();
        this.#events.onCommitted(worker.index, message.version);
        return;
      case "answer":
        this.#questions.answered(worker, message.id, message.answer);
        return;
      case "totals":
        worker.metrics = message.metrics;
        return;
      case "outcomes":
        this.#events.onOutcomes(worker.index, message.outcomes);
        return;
      case "failures":
        this.#events.onFailures(message.failures);
        return;
      case "refused":
        this.#events.onRefused(message);
        return;
      case "left":
        this.#events.onLeft(worker.index, message);
        return;
      case "shares":
        // The last word of one that is gone may come after its end.
        if (isCurrent) this.#sharing.take(worker.index, message);
        return;
      case "log-fault":
        this.#events.onLogFault(message.message);
    }
  }

  #onExit(worker: Worker, how: string): void {
    if (this.#workers.get(worker.index) !== worker) return;
    this.#workers.delete(worker.index);
    this.#liveness.gone(worker.index);
    this.#questions.gone(worker);
    this.#sharing.gone(worker.index);
    this.#events.onGone(worker.index);
    if (worker.metrics !== null) this.#retire(worker.metrics);
    if (this.#stopping) return;
    this.restarts++;
    const wait = this.#restarts[worker.index]!.next(performance.now() - worker.startedAt);
    if (wait > 0) this.#resting.add(worker.index);
    this.#steer();
    this.#settling.look();
    this.#events.onDeath(worker.index, worker.process.pid, how, wait);
    setTimeout(() => {
      if (!this.#stopping) this.#spawn(worker.index);
    }, wait);
  }

  /** Only totals outlive a worker; what it had open is gone with it. Those of the dead are added up, so that they do not gather. */
  #retire(metrics: MetricJson[]): void {
    this.addTotals(onlyTotals(metrics));
  }
}
