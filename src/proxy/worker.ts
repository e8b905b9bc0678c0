// A worker process: takes its orders from the master, listens, and moves the traffic.

import { HeavyHitters } from "../admission/heavy-hitters.ts";
import { addressKey } from "../admission/keys.ts";
import { parseAddress } from "../ip/address.ts";
import type { AuthResult } from "../middlewares/mqtt-auth.ts";
import { isOutOfDescriptors } from "../net/descriptors.ts";
import { type DialError, isShortage } from "../net/dial-error.ts";
import { type Listener, listen } from "../net/listen.ts";
import { onFault as onDefect } from "../net/socket.ts";
import { AccessLog } from "../observe/access-log.ts";
import { createLog, type Log } from "../observe/log.ts";
import { isRefusal, Refusals } from "../observe/refusals.ts";
import { Shortages } from "../observe/shortages.ts";
import { WorkerMetrics } from "../observe/worker-metrics.ts";
import {
  type Answers,
  type Asked,
  BEAT_MS,
  type FromWorker,
  type Question,
  type ToWorker,
  type WorkerSettings,
} from "../protocol/messages.ts";
import type { Shares } from "../protocol/shares.ts";
import { DescriptorDoor } from "../system/descriptor-door.ts";
import { giveBack } from "../system/memory.ts";
import { ownDescriptorLimit } from "../system/processes.ts";
import { revocationsOf } from "../tls/revocations.ts";
import { DEFAULT_PASSIVE } from "../upstream/health.ts";
import type { Target } from "../upstream/service.ts";
import { BanDoor } from "./ban-door.ts";
import { Drain } from "./drain.ts";
import { Edge, type EntryPoint, type Observer } from "./edge.ts";
import { Inspection } from "./inspection.ts";
import { LeavingConnections } from "./leaving.ts";
import { Outcomes } from "./outcomes.ts";
import type { Reason } from "./reasons.ts";
import { accept } from "./way.ts";

/** A worker tells its totals this often without being asked, so that little is lost when it is killed. */
const REPORT_MS = 1000;
/** How often the master hears of who was refused. */
const REFUSED_MS = 10_000;
/** Addresses that are told apart, and those that are told. */
const REFUSED_SIZE = 256;
const REFUSED_TOP = 32;
/** Descriptors that no client gets, so that those who are in can be connected to their brokers. */
const SPARE_DESCRIPTORS = 16;

export function runWorker(): void {
  let worker: Worker | null = null;
  // The master has gone: nobody would restart, reload or stop us, and its successor needs the ports.
  process.on("disconnect", () => {
    if (worker === null) process.exit(1);
    else void worker.leave();
  });
  // The terminal sends these to the whole group; the master decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
  process.on("message", (message: ToWorker) => {
    if (message.type === "start") worker = new Worker(message.settings);
    else worker?.onMessage(message);
  });
}

/** Whether the master says it when dials of the server fail. */
function isWatched({ passive }: Target): boolean {
  return (passive ?? DEFAULT_PASSIVE).failures > 0;
}

function send(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

class Worker implements Observer {
  readonly #settings: WorkerSettings;
  readonly #log: Log;
  readonly #edge: Edge;
  readonly #metrics: WorkerMetrics;
  readonly #leaving: LeavingConnections;
  readonly #listeners: Listener[] = [];
  readonly #accessLog: AccessLog | null;
  /** The log, and the access log's own where it has one. */
  readonly #logs: readonly Log[];
  readonly #refusals: Refusals;
  readonly #shortages: Shortages;
  readonly #descriptorLimit = ownDescriptorLimit();
  /** By entry point. */
  readonly #bans = new Map<string, BanDoor>();
  readonly #refused = new HeavyHitters(REFUSED_SIZE);
  /** null: nobody looks. */
  readonly #inspection: Inspection | null;
  readonly #outcomes = new Outcomes((outcomes) => send({ type: "outcomes", outcomes }));
  /** null: it accepts. */
  #drain: Drain | null = null;
  #ended = 0;
  #reported = -1;
  /** Servers that failed last time: an outage is one line, not one per connection. The configuration bounds it. */
  readonly #failing = new Set<string>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    const { log, accessLog } = settings;
    const onLogFault = (message: string) => send({ type: "log-fault", message });
    const open = (filePath: string | undefined) =>
      createLog({ ...log, filePath }, `worker-${settings.index}`, onLogFault);
    this.#log = open(log.filePath);
    const own = accessLog?.filePath === undefined ? null : open(accessLog.filePath);
    this.#logs = own === null ? [this.#log] : [this.#log, own];
    this.#accessLog = accessLog === null ? null : new AccessLog(own ?? this.#log, accessLog.filters);
    const tellShares = (shares: Shares) => send({ type: "shares", ...shares });
    this.#edge = new Edge(settings, this, settings.index, tellShares);
    this.#leaving = new LeavingConnections(this.#edge.connections, this.#edge.turns, send);
    this.#inspection = settings.isInspected ? new Inspection(settings.index, this.#edge, this.#log.always) : null;
    this.#shortages = new Shortages(this.#log.logger);
    this.#metrics = new WorkerMetrics(
      () => this.#edge,
      this.#shortages,
      () => this.#logs.reduce((sum, each) => sum + each.dropped(), 0),
    );
    const meters = () => this.#edge.entryPoints.map((point) => point.meters);
    this.#refusals = new Refusals(this.#log, meters, accessLog !== null);
    onDefect((error) => this.onFault(error));
    process.on("uncaughtException", (error) => this.#die(error));
    process.on("unhandledRejection", (error) => this.#die(error));
    for (const point of settings.entryPoints)
      if (point.ban !== null)
        this.#bans.set(point.name, new BanDoor(point, point.ban, (failures) => send({ type: "failures", failures })));
    setInterval(() => this.#tellRefused(), REFUSED_MS);
    this.#lookAtDescriptors();
    setInterval(() => send({ type: "alive" }), BEAT_MS);
    setInterval(() => {
      this.#lookAtDescriptors();
      const seen = this.#ended + this.#edge.pool.chunksDirect + this.#edge.connections.size;
      if (seen === this.#reported) return;
      this.#reported = seen;
      this.#tellTotals();
    }, REPORT_MS);
  }

  onMessage(message: Exclude<ToWorker, { type: "start" }>): void {
    switch (message.type) {
      case "rows":
        this.#edge.tables.apply(message.put, message.drop);
        return;
      case "commit":
        this.#commit(message.version);
        return;
      case "ask":
        void this.#answer(message);
        return;
      case "trace":
        this.#inspection?.trace(message.traced);
        return;
      case "log-level":
        for (const log of this.#logs) log.setLevel(message.level);
        return;
      case "servers":
        if (this.#edge.tables.servers.put(message.servers)) this.#edge.outages.clear();
        return;
      case "leaving":
        this.#leaving.change(message);
        return;
      case "let-go":
        this.#leaving.letGo(message);
        return;
      case "shares":
        this.#edge.sharing.put(message, (service) => this.#edge.tables.balancers.stickyOf(service));
        return;
      case "bans":
        for (const [entryPoint, key] of message.drop) this.#bans.get(entryPoint)?.drop(key);
        for (const [entryPoint, key] of message.put) this.#bans.get(entryPoint)?.put(key);
        return;
      case "reopen-logs":
        for (const log of this.#logs) log.reopen();
        return;
      case "drain":
        this.#startDrain(message);
    }
  }

  /**
   * Frees the ports, and ends when the lines that wait for others are written. Sockets are closed one by one: a thread that writes to a
   * file system which does not answer cannot be ended, and what is open would stay open as long.
   */
  async leave(): Promise<void> {
    for (const listener of this.#listeners) listener.stop();
    for (const connection of this.#edge.connections) connection.shutdown();
    await this.#flush();
    process.exit(1);
  }

  onHandshake(version: string, resumed: boolean, ms: number): void {
    this.#metrics.handshake(version, resumed, ms);
  }

  onConnect(waitedMs: number): void {
    this.#metrics.connect(waitedMs);
  }

  onDial(target: Target, ms: number): void {
    this.#metrics.dial(target, ms);
    if (this.#failing.size > 0 && this.#failing.delete(target.key))
      this.#log.logger[isWatched(target) ? "debug" : "info"](
        { service: target.service, server: target.server.address },
        "the server answers again",
      );
  }

  onDialFailed(target: Target, reason: DialError): void {
    const { service, key, server } = target;
    this.#metrics.dialFailed(target, reason);
    if (isShortage(reason)) return this.#shortages.note(reason); // the server has no part in it
    this.#outcomes.add(key, reason);
    const known = this.#failing.has(key);
    this.#failing.add(key);
    this.#log.logger[known || isWatched(target) ? "debug" : "warn"](
      { service, server: server.address, reason },
      "cannot reach the server",
    );
  }

  onOutcome({ key }: Target, outcome: "answered" | "closed" | "silent"): void {
    this.#outcomes.add(key, outcome);
  }

  onAuthentication(result: AuthResult, durationMs: number): void {
    this.#metrics.authentication(result, durationMs);
  }

  onLoopDelay(ms: number): void {
    this.#metrics.loopDelay(ms);
  }

  onEnd: Observer["onEnd"] = (record, reason, bytesIn, bytesOut) => {
    this.#ended++;
    if (isRefusal(reason)) this.#noteRefused(record.clientAddress, reason);
    if (this.#inspection !== null) this.#inspection.onEnd(record, reason);
    if (this.#accessLog !== null) this.#accessLog.write(record, reason, bytesIn, bytesOut);
    else this.#log.logger.debug({ client: record.clientAddress, sni: record.sni, reason }, "connection ended");
  };

  onTurnedAway(address: string, reason: Reason, entryPoint: string): void {
    if (this.#inspection !== null) this.#inspection.onTurnedAway(address, reason, entryPoint);
    this.#noteRefused(address, reason);
  }

  onOutOfDescriptors(): void {
    this.#shortages.note("descriptors");
  }

  onFault(error: unknown): void {
    this.#log.logger.error({ err: error }, "a defect in Sluice ended a connection");
  }

  #commit(version: number): void {
    const { tables } = this.#edge;
    tables.commit(version);
    this.#edge.outages.clear();
    const { options, certificates } = tables.contents();
    this.#edge.contexts.prune(options, certificates);
    this.#closeRevoked();
    this.#forgetServers();
    if (this.#listeners.length === 0) {
      // What a start needs is over, and nobody waits yet.
      giveBack();
      if (!this.#listen()) return;
    }
    send({ type: "committed", version });
  }

  /** Servers that are configured no more, and that nobody is connected to. */
  #forgetServers(): void {
    const { servers } = this.#edge.tables;
    const isKnown = (key: string) => servers.has(key);
    this.#metrics.keepServers(isKnown);
    for (const key of this.#failing) if (!isKnown(key)) this.#failing.delete(key);
  }

  /** Ends the connections whose certificate has been revoked since they came. */
  #closeRevoked(): void {
    const optionsOf = this.#edge.tables.closing();
    if (optionsOf === null) return;
    const now = Date.now();
    for (const connection of this.#edge.connections) {
      const { revocable, options: name } = connection.record;
      if (revocable === null) continue;
      const options = optionsOf(name);
      if (options !== null && revocationsOf(options)?.judge(revocable, now) === "revoked") connection.revoke();
    }
  }

  /** The limit can be changed from outside (prlimit(1)), and a system can run out as a whole: then accept fails unheard. */
  #lookAtDescriptors(): void {
    this.#edge.lastDescriptor = this.#descriptorLimit() - SPARE_DESCRIPTORS;
    if (isOutOfDescriptors()) this.#shortages.note("descriptors");
  }

  /** Only with a snapshot in hand does a worker accept: nobody is refused because it has just started. */
  #listen(): boolean {
    for (const point of this.#settings.entryPoints) {
      const entryPoint: EntryPoint = this.#edge.entryPoint(point, this.#bans.get(point.name) ?? null);
      try {
        for (const fd of point.sockets)
          this.#listeners.push(listen(fd, (socket) => accept(this.#edge, entryPoint, socket), new DescriptorDoor(fd)));
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        send({ type: "failed", entryPoint: point.name, code, message });
        return false;
      }
    }
    send({ type: "listening" });
    return true;
  }

  async #answer({ id, question, about }: Extract<ToWorker, { type: "ask" }>): Promise<void> {
    const answer = await (this.#answers[question] as (about: unknown) => Promise<Answers[Question]>)(about);
    send({ type: "answer", id, answer });
  }

  readonly #answers: { readonly [question in Question]: (about: Asked[question]) => Promise<Answers[question]> } = {
    metrics: async () => this.#metrics.collect(),
    connections: async (request) => (await this.#inspection?.page(request)) ?? { rows: [], matched: 0, open: 0 },
    close: async (filter) => (await this.#inspection?.close(filter)) ?? { closed: 0 },
    refusals: async (after) => this.#inspection?.refusals(after) ?? [],
  };

  /** IPv6 by 64 bits, which is one customer. */
  #noteRefused(address: string, reason: Reason): void {
    this.#refused.add(addressKey(parseAddress(address), 32, 64), reason);
  }

  #tellRefused(): void {
    const { total } = this.#refused;
    if (total === 0) return;
    const top = this.#refused.top(REFUSED_TOP).map(({ key, count, what }) => [key, count, what] as const);
    this.#refused.clear();
    send({ type: "refused", total, top });
  }

  #tellTotals(): void {
    send({ type: "totals", metrics: this.#metrics.collect() });
  }

  #startDrain({ graceMs, pace }: Extract<ToWorker, { type: "drain" }>): void {
    if (this.#drain !== null) return this.#drain.change(graceMs, pace);
    for (const listener of this.#listeners) listener.stop();
    const { connections, turns } = this.#edge;
    this.#drain = new Drain({ connections, turns, done: () => void this.#exit() }, graceMs, pace);
  }

  async #exit(): Promise<void> {
    this.#tellTotals();
    this.#tellRefused();
    this.#refusals.tell();
    await this.#flush();
    process.exit(0);
  }

  async #flush(): Promise<void> {
    this.#accessLog?.flush();
    await Promise.all(this.#logs.map((log) => log.flush()));
  }

  /** A defect outside any connection: better a fresh worker than one in an unknown state. */
  #die(error: unknown): void {
    this.#log.logger.fatal({ err: error }, "a defect in Sluice ended a worker");
    void this.#flush().then(() => process.exit(70));
  }
}
