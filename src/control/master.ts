// The master: reads the configuration, keeps workers and the embedded broker running, reloads, serves metrics, and stops it all.

import { availableParallelism } from "node:os";
import { acmeOf, resolverFacts } from "../acme/facts.ts";
import type { AcmeManager } from "../acme/manager.ts";
import type { StoredCertificate } from "../acme/storage.ts";
import type { AdminServer } from "../admin/server.ts";
import type { ApiSources } from "../api/sources.ts";
import type { Compiled } from "../compile/compile.ts";
import type { Code } from "../config/codes.ts";
import { type Diagnostic, Diagnostics, describeDiagnostic, formatDiagnostic } from "../config/diagnostics.ts";
import { formatHostPort } from "../config/scalars.ts";
import type { StaticConfig } from "../config/static.ts";
import { createLog, type Log, type LogSettings } from "../observe/log.ts";
import type { Logger } from "../observe/logger.ts";
import { MasterMetrics } from "../observe/master-metrics.ts";
import { addUp, type MetricJson } from "../observe/metric-json.ts";
import type { Inheritance, LentBroker } from "../protocol/generations.ts";
import type { Traced } from "../protocol/looking.ts";
import { type Row, rowKey } from "../protocol/messages.ts";
import type { Provider } from "../providers/provider.ts";
import { providersOf } from "../providers/providers.ts";
import { describeError } from "../system/errors.ts";
import { describeSockets, type Inherited, SOCKETS_VARIABLE } from "../system/inherited.ts";
import { GivingBack } from "../system/memory.ts";
import { monotonicMicroseconds, ServiceManager } from "../system/service-manager.ts";
import { FIRST_INHERITED, programOnDisk, sameProgram } from "../system/spawn.ts";
import { issueDefaultCertificate } from "../tls/default-certificate.ts";
import type { ServerChange } from "../upstream/server-state.ts";
import { VERSION } from "../version.ts";
import { openAdmin } from "./admin.ts";
import type { OpenApi } from "./api.ts";
import { drainLook, processLook, providerLook } from "./api-looks.ts";
import { Bans } from "./bans.ts";
import { BrokerKeeper } from "./broker.ts";
import { Desk } from "./desk.ts";
import { Drains } from "./drains.ts";
import { whereClientsSpeakFirst } from "./first-word.ts";
import { hangOf } from "./hang.ts";
import { HealthKeeper } from "./health.ts";
import { History } from "./history.ts";
import { HttpChallenges } from "./http-challenges.ts";
import { Lineage, type LineageHost } from "./lineage.ts";
import { LogFaults } from "./log-faults.ts";
import { proveLogFiles } from "./log-files.ts";
import { provePidFile, removePidFile, writePidFile } from "./pid-file.ts";
import type { Predecessor } from "./predecessor.ts";
import { Reloader, type ReloadOutcome } from "./reloader.ts";
import { ServerNames } from "./server-names.ts";
import { prove, Sockets } from "./sockets.ts";
import { StartError } from "./start-error.ts";
import { changedFields } from "./static-changes.ts";
import { stopPlan } from "./stop-plan.ts";
import { Supervisor } from "./supervisor.ts";
import { TopRefused } from "./top-refused.ts";
import { logSettings, workerSettings } from "./worker-settings.ts";

/** How long an authority is not told to look while a worker has not said that the answer is in place. Milliseconds. */
const CHALLENGE_SETTLE_MS = 10_000;

/** How long after the grace time a worker may take to go before it is killed. Milliseconds. */
const KILL_AFTER_MS = 2000;

/** How long workers may take to have a new configuration before it is said which ones are without it. Milliseconds. */
const LOADED_MS = 5000;

/** How often a service manager hears that all is well, in the time after which it would take this process for hung. */
const WATCHDOG_SHARE = 3;

/** As what processes of other generations are known to the supervisor: by numbers below 0. */
const NEWEST = -1;
const neighbourOf = (generation: number) => NEWEST - generation;

const NOTHING_NAMED: Compiled["named"] = { routers: new Set(), services: new Set(), partial: new Set() };

export interface Started {
  readonly entryPoints: readonly { readonly name: string; readonly address: string; readonly admin: boolean }[];
  readonly routers: Compiled["routers"];
  /** Where the embedded broker listens, or null. */
  readonly broker: string | null;
  readonly workers: number;
}

/** Where this process comes from, and what it can begin anew with. */
export interface Origin {
  /** Listening sockets that it was started with. */
  readonly inherited: Inherited;
  /** Whom it is to follow. */
  readonly predecessor: Predecessor | null;
  /** Those of the command line, behind the program. */
  readonly arguments: readonly string[];
  /** The static configuration as it is now. */
  readStatic(): { readonly config: StaticConfig | null; readonly diagnostics: Diagnostics };
  /** Ends this process, which is of no use any more. */
  end(code: number): void;
}

export class Master {
  readonly #config: StaticConfig;
  readonly #origin: Origin;
  #sockets!: Sockets;
  readonly #log: Log;
  readonly #logFaults = new LogFaults();
  readonly #givingBack = new GivingBack();
  readonly #metrics = new MasterMetrics(VERSION);
  #admin: readonly AdminServer[] = [];
  #api: OpenApi | null = null;
  /** null: there is no API. */
  readonly #desk: Desk | null;
  #history: History | null = null;
  #traced: readonly Traced[] = [];
  #level: LogSettings["level"];
  readonly #startedAt = new Date();
  #supervisor!: Supervisor;
  #reloader!: Reloader;
  /** What is drained, and what a reload has removed. By hand: `drain` and `undrain`. */
  readonly #drains: Drains;
  /** Who is refused because he has failed too often: `list`, `ban` and `lift`. */
  readonly #bans: Bans;
  readonly #topRefused: TopRefused;
  #providers: readonly Provider[] = [];
  readonly #broker: BrokerKeeper | null;
  /** The embedded broker that this generation has started, or one before it. */
  #ownBroker: LentBroker | null = null;
  #lentBroker: LentBroker | null = null;
  readonly #lineage: Lineage;
  readonly #manager = new ServiceManager(process.env);
  #acme: AcmeManager | null = null;
  readonly #httpChallenges = new HttpChallenges();
  /** What the configuration makes; DNS says which servers its names are, and answers to challenges go with it. */
  #rows: ReadonlyMap<string, Row> = new Map();
  #named: Compiled["named"] = NOTHING_NAMED;
  readonly #names: ServerNames;
  /** A load is under way whose names have not been asked yet: they go into force with it. */
  #awaitsNames = false;
  readonly #challenges = new Map<string, Row>();
  /** How servers are checked, by their service. */
  #checks: Compiled["checks"] = new Map();
  readonly #health: HealthKeeper;
  /** Of the static file, which is read once: they hold as long as Sluice runs. */
  #staticDiagnostics = new Diagnostics();
  #watchdog: ReturnType<typeof setInterval> | null = null;
  /** `leaving`: all goes on, but /ping says that nobody should come any more. `old`: another master serves. */
  #phase: "running" | "leaving" | "stopping" | "old" = "running";

  /** @throws StartError when a log file cannot be opened. */
  constructor(config: StaticConfig, origin: Origin) {
    this.#config = config;
    this.#origin = origin;
    proveLogFiles(config);
    provePidFile(config.lifeCycle.pidFile);
    const desk = config.api === undefined ? null : new Desk();
    this.#desk = desk;
    this.#level = config.log.level;
    this.#log = createLog(
      logSettings(config),
      "master",
      (message) => this.#logFaults.say(message),
      desk === null ? null : (...event) => desk.happened(...event),
    );
    this.#drains = new Drains(
      {
        tell: (message, worker) => this.#supervisor.tell(message, worker),
        tellServers: (changes) => this.#tellServers(changes),
        workers: () => this.#supervisor.indexes,
      },
      this.#logger,
    );
    this.#health = new HealthKeeper(this.#logger, (changes) => this.#tellServers(changes));
    this.#bans = new Bans(
      config.entryPoints.values(),
      // A file with more bans than there is room for is told of before there are workers.
      (message, worker) => this.#supervisor?.tell(message, worker),
      this.#logger,
    );
    this.#topRefused = new TopRefused(this.#logger);
    const { embeddedBroker } = config;
    this.#names = new ServerNames(this.#logger, () => this.#onNames());
    this.#broker = embeddedBroker === undefined ? null : new BrokerKeeper(embeddedBroker.address, this.#logger);
    const { predecessor } = origin;
    this.#lineage = new Lineage(
      this.#lineageHost(),
      config,
      {
        generation: predecessor?.welcome.generation ?? 1,
        // A service manager that asks to be told follows the process that serves; others wait for the one that they have started.
        isKeeper: predecessor === null && !this.#manager.isThere,
        broker: () => this.#ownBroker,
      },
      this.#logger,
    );
  }

  /** Another master serves. */
  get isOld(): boolean {
    return this.#lineage.isOld;
  }

  get #stopping(): boolean {
    return this.#phase === "stopping";
  }

  get #logger(): Logger {
    return this.#log.logger;
  }

  /**
   * Starts everything; resolves when connections are accepted.
   * @throws StartError with the line to print.
   */
  async start(staticDiagnostics: Diagnostics): Promise<Started> {
    const config = this.#config;
    const { inherited, predecessor } = this.#origin;
    const shared = predecessor?.welcome.admin ?? [];
    const points = [...config.entryPoints.values()];
    await prove(
      points.filter((point) => !(point.admin && shared.includes(point.address))),
      inherited,
    );
    await this.#ensureCertificate();
    const selfSigned = await issueDefaultCertificate();
    this.#acme = await this.#createAcme();
    const resolvers = resolverFacts(config);
    this.#providers = providersOf(config, {
      onBack: (provider, awayMs) => this.#logger.info({ provider, awayMs }, "a provider is there again"),
    });
    this.#reloader = new Reloader(
      config,
      this.#providers,
      selfSigned,
      (outcome) => void this.#onReload(outcome),
      () => ({ resolvers, stored: this.#storedCertificates() }),
    );

    const started = await this.#reloader.start();
    const { compiled, diagnostics: first, refused, failures } = started;
    // What a provider would have given is not known: without it others might take its names.
    if (compiled === null || refused.length > 0) {
      throw new StartError(
        first.list
          .filter((each) => each.severity === "error")
          .map(formatDiagnostic)
          .join("\n"),
      );
    }
    this.#staticDiagnostics = staticDiagnostics;
    this.#logDiagnostics([...staticDiagnostics.list, ...first.list]);
    this.#metrics.diagnosed([staticDiagnostics, first]);

    this.#rows = compiled.rows;
    this.#named = compiled.named;
    this.#checks = compiled.checks;
    this.#names.want(compiled.rows.values());
    const broker = await this.#startBroker();
    await this.#names.ready();
    const workers = config.workers === "auto" ? availableParallelism() : config.workers;
    this.#desk?.came(started, compiled, 1, staticDiagnostics.list);
    this.#desk?.loaded(started, 1);
    this.#api = await this.#openApi();
    const sources = {
      api: this.#api,
      metrics: () => this.#render(),
      ping: () => this.#whyNotWell(),
      challenge: (host: string, token: string) => this.#httpChallenges.find(host, token),
    };
    // What may fail comes before workers accept: until then nobody is the worse for it.
    if (predecessor !== null) this.#admin = await openAdmin(config, sources, shared);
    this.#sockets = await Sockets.open(
      points.filter((point) => !point.admin),
      workers,
      this.#logger,
      inherited,
    );
    this.#setFirstWord();
    await this.#startWorkers(workers);
    this.#metrics.wanted(workers);
    if (predecessor === null) this.#admin = await openAdmin(config, sources, []);
    this.#api?.appear();
    if (predecessor !== null) await this.#takeOver(predecessor);
    this.#metrics.reloaded(compiled, refused.length === 0, failures);
    this.#reloader.open();
    this.#acme?.want(compiled.orders);
    const { ports } = this.#sockets;
    const entryPoints = [...config.entryPoints.values()].map((point) => ({
      name: point.name,
      address: formatHostPort(point.host || "*", ports[point.name] ?? point.port),
      admin: point.admin,
    }));
    this.#givingBack.soon();
    this.#serves();
    // For people the banner says it.
    this.#logger[this.#log.format === "json" ? "info" : "debug"](
      {
        version: VERSION,
        entryPoints: Object.fromEntries(entryPoints.map(({ name, address }) => [name, address])),
        routers: compiled.routers.length,
        certificates: compiled.certificates.length,
        workers,
      },
      "ready",
    );
    return { entryPoints, routers: compiled.routers, broker, workers };
  }

  /**
   * Reads everything anew. Where the static configuration has changed, new processes are started with it, which follow these. One that is
   * wrong changes nothing.
   */
  async reload(): Promise<void> {
    if (this.#stopping || this.#lineage.forward("SIGHUP")) return;
    this.#manager.tell("RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`);
    const { config, diagnostics } = this.#origin.readStatic();
    if (config === null) {
      this.#logDiagnostics(diagnostics.list);
      this.#logger.error("the static configuration is not loaded: the one that is in force goes on");
    } else {
      const changed = changedFields(this.#config.value, config.value);
      if (changed.length > 0) {
        this.#logger.info({ changed }, "the static configuration has changed: new processes are started with it");
        if (await this.#lineage.follow(sameProgram(), this.#origin.arguments)) return;
      }
    }
    this.#reloadDynamic();
    this.#lineage.olds.tell({ type: "reload" });
  }

  /** Starts what bears this program's name now, to follow these processes. */
  async upgrade(): Promise<void> {
    if (this.#stopping || this.#lineage.forward("SIGUSR2")) return;
    const program = programOnDisk();
    this.#logger.info({ program: program.name }, "an upgrade: new processes are started");
    await this.#lineage.follow(program, this.#origin.arguments);
  }

  #reloadDynamic(): void {
    this.#names.refresh();
    void this.#reloader.refresh();
  }

  /** Says at /ping that it stops, then accepts nobody any more, lets connections finish for the longest graceTimeOut, and closes them. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<void> {
    if (this.#lineage.forward(signal)) return new Promise(() => {}); // the newest one says when it is over
    if (this.#phase !== "running") return;
    this.#lineage.stopping();
    this.#manager.tell("STOPPING=1");
    const { acceptMs, graceMs, pace } = stopPlan(this.#config);
    this.#phase = "leaving";
    if (acceptMs > 0) {
      this.#logger.info({ acceptMs, graceMs }, "stopping soon: /ping says so, new connections are still accepted");
      await Bun.sleep(acceptMs);
    }
    this.#phase = "stopping";
    this.#logger.info({ graceMs }, "stopping: no new connections, open ones may finish");
    this.#broker?.stopRestarting();
    this.#acme?.close();
    this.#names.close();
    this.#drains.close();
    this.#health.close();
    await this.#reloader.close();
    const drained = Promise.all([
      this.#supervisor.drain(graceMs, pace, KILL_AFTER_MS),
      this.#lineage.olds.stop(graceMs, pace, KILL_AFTER_MS),
    ]);
    // The last to hold them, once the workers have stopped accepting: from then on connections are refused.
    this.#sockets.close();
    await drained;
    this.#bans.close();
    this.#topRefused.close();
    this.#broker?.kill();
    this.#api?.stop();
    this.#history?.close();
    for (const server of this.#admin) server.stop();
    this.#lineage.olds.tell({ type: "ending", code: 0 });
    const { pidFile } = this.#config.lifeCycle;
    if (pidFile !== undefined) removePidFile(pidFile);
    this.#logger.info("stopped");
    await this.flush();
  }

  #whyNotWell(): string | null {
    if (this.#phase !== "running") return "stopping";
    return this.#supervisor.areServed ? null : "no worker answers";
  }

  /** Prints among the lines of the log. */
  print(text: string): void {
    this.#log.write(`${text}\n`);
  }

  /** Waits for the last log lines, but not long. */
  flush(): Promise<void> {
    return this.#log.flush();
  }

  /** Opens the log files anew, here and in the workers. */
  reopenLogs(): void {
    if (this.#lineage.forward("SIGUSR1")) return;
    this.#reopenLogs();
    this.#lineage.olds.tell({ type: "reopen-logs" });
  }

  #reopenLogs(): void {
    this.#log.reopen();
    this.#supervisor?.reopenLogs();
  }

  /** At once, whatever is open. */
  kill(): void {
    this.#phase = "stopping";
    this.#lineage.stopping();
    this.#lineage.olds.tell({ type: "kill" });
    this.#supervisor?.kill();
    this.#broker?.kill("SIGKILL");
    const { pidFile } = this.#config.lifeCycle;
    if (pidFile !== undefined) removePidFile(pidFile);
  }

  /** The address of the embedded broker: its clients stay with the one that there is. */
  async #startBroker(): Promise<string | null> {
    if (this.#broker === null) return null;
    const lent = this.#origin.predecessor?.welcome.broker ?? null;
    const configured = this.#config.embeddedBroker!.address;
    if (lent?.configured === configured) {
      this.#lentBroker = lent;
      return lent.address;
    }
    const address = await this.#broker.start();
    this.#ownBroker = { configured, address };
    return address;
  }

  /** From now on this master is the newest one. */
  async #takeOver(predecessor: Predecessor): Promise<void> {
    const inheritance = await predecessor.takeOver(await this.#lineage.serve());
    if (inheritance === null) {
      this.#logger.error("the Sluice that this one follows died while this one started: what it counted is lost");
      return;
    }
    this.#supervisor.addTotals(inheritance.totals);
    this.#metrics.inherit(inheritance.masterTotals);
    this.#bans.inherit(inheritance.bans);
    for (const { service, server, policy } of inheritance.drains) this.#drains.drain(service, server, policy);
  }

  /** Says it to whom it concerns. */
  #serves(): void {
    this.#manager.tell("READY=1", `STATUS=Serves, generation ${this.#lineage.generation}`);
    this.#writePid();
    const { watchdogMs } = this.#manager;
    if (watchdogMs !== null)
      this.#watchdog = setInterval(() => this.#manager.tell("WATCHDOG=1"), watchdogMs / WATCHDOG_SHARE);
  }

  #writePid(): void {
    const { pidFile } = this.#config.lifeCycle;
    if (pidFile === undefined) return;
    try {
      writePidFile(pidFile);
    } catch (error) {
      this.#logger.error(`lifeCycle.pidFile: cannot write to ${pidFile}: ${describeError(error)}`);
    }
  }

  /** Another master serves: here only the connections that are open go on. */
  #handOver(pid: number): Inheritance {
    this.#fillMetrics();
    this.#phase = "old";
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#manager.tell(`MAINPID=${pid}`);
    this.#acme?.retire();
    this.#health.close();
    this.#bans.retire();
    this.#api?.leave();
    for (const server of this.#admin) server.stop();
    this.#sockets.close();
    return {
      totals: this.#supervisor.takeTotals(),
      masterTotals: this.#metrics.totals(this.#supervisor.restarts, this.#log.dropped()),
      bans: this.#bans.list(),
      drains: [...this.#drains.ordered()],
    };
  }

  /** Nothing is left but to wait: what it takes of the machine is given back. */
  #rest(): void {
    this.#names.close();
    this.#drains.close();
    this.#topRefused.close();
    void this.#reloader.close();
    this.#givingBack.soon();
  }

  #tellServers(changes: readonly ServerChange[]): void {
    this.#lineage.olds.tell({ type: "servers", servers: this.#supervisor.tellServers(changes) });
  }

  #lineageHost(): LineageHost {
    return {
      welcome: () => ({
        admin: [...this.#config.entryPoints.values()].filter(({ admin }) => admin).map(({ address }) => address),
        apiSocket: this.#api?.socket ?? null,
        broker: this.#lentBroker ?? this.#ownBroker,
      }),
      sockets: () => {
        const { fds, about } = this.#sockets.handedOn();
        const environment = { [SOCKETS_VARIABLE]: describeSockets(about, FIRST_INHERITED), WATCHDOG_PID: "" };
        return { descriptors: fds, environment };
      },
      handOver: (pid) => this.#handOver(pid),
      replaced: (isGood) => {
        this.#metrics.upgraded(isGood);
        if (isGood) return;
        this.#manager.tell("READY=1");
        this.#writePid();
      },
      old: {
        collect: () => this.#supervisor.collect(),
        pids: () => this.#supervisor.pids,
        drain: (graceMs, pace) => this.#supervisor.drain(graceMs, pace, KILL_AFTER_MS),
        joined: () =>
          this.#supervisor.followNeighbour(NEWEST, (shares) => this.#lineage.tellNewest({ type: "shares", shares })),
        heard: (message) => {
          if (message.type === "servers") this.#supervisor.tellServers(message.servers);
          else if (message.type === "shares") this.#supervisor.hearNeighbour(NEWEST, message.shares);
          else if (message.type === "reload") this.#reloadDynamic();
          else this.#reopenLogs();
        },
        rest: () => this.#rest(),
        kill: () => {
          this.#supervisor.kill();
          this.#broker?.kill("SIGKILL");
        },
        end: (code) => this.#origin.end(code),
      },
      olds: {
        joined: (generation) => {
          const { olds } = this.#lineage;
          olds.tell({ type: "servers", servers: this.#supervisor.servers }, generation);
          this.#supervisor.joinNeighbour(neighbourOf(generation), (shares) =>
            olds.tell({ type: "shares", shares }, generation),
          );
          void this.#lineage.limit();
        },
        isWanted: (broker) => this.#lentBroker?.configured === broker.configured,
        drained: (generation, totals) => {
          this.#supervisor.leaveNeighbour(neighbourOf(generation));
          this.#supervisor.addTotals(totals);
        },
        brokerGone: () => void this.#replaceBroker(),
        heard: (generation, message) => {
          if (message.type === "shares") this.#supervisor.hearNeighbour(neighbourOf(generation), message.shares);
          else if (message.type === "outcomes") this.#health.heard(message.outcomes);
          else if (message.type === "failures") this.#bans.heard(message.failures);
          else process.emit(message.signal);
        },
      },
    };
  }

  /** The one that another generation had is gone with it. */
  async #replaceBroker(): Promise<void> {
    this.#lentBroker = null;
    if (this.#stopping) return;
    this.#logger.error("the embedded broker is gone with the generation that had it, and is started anew");
    try {
      await this.#startBroker();
    } catch (error) {
      this.#logger.error((error as Error).message);
    }
  }

  async #ensureCertificate(): Promise<void> {
    const wanted = this.#config.developmentCertificate;
    if (wanted === undefined) return;
    const { ensureDevelopmentCertificate } = await import("../authority/development.ts");
    try {
      if (await ensureDevelopmentCertificate(wanted.directory, wanted.names))
        this.#logger.info({ directory: wanted.directory, names: wanted.names }, "made a development certificate");
    } catch (error) {
      throw new StartError(`developmentCertificate: cannot write to ${wanted.directory}: ${describeError(error)}`);
    }
  }

  async #startWorkers(count: number): Promise<void> {
    const settings = workerSettings(this.#config, this.#lineage.generation);
    return new Promise((resolve, reject) => {
      const listening = new Set<number>();
      this.#supervisor = new Supervisor(count, settings, this.#sockets, {
        onListening: (index) => {
          listening.add(index);
          if (listening.size === count) resolve();
        },
        onFailed: (index, entryPoint, error) => {
          const why = `worker ${index} cannot accept on entry point ${entryPoint}: ${describeError(error)}`;
          if (listening.size < count) reject(new StartError(why));
          else this.#logger.error(why);
        },
        onDeath: (index, pid, how, restartInMs) => {
          if (restartInMs > 0 && listening.size < count)
            reject(new StartError(`worker ${index} cannot run: it ended with ${how}`));
          this.#logger.error({ worker: index, pid, how, restartInMs }, "a worker died and is replaced");
        },
        onHung: (index, pid, silentMs, standing) =>
          this.#logger.error(
            { worker: index, pid, silentMs: Math.round(silentMs), ...hangOf(standing) },
            "a worker hangs",
          ),
        onCommitted: (index, version) => this.#logger.debug({ worker: index, version }, "snapshot in force"),
        onOutcomes: (_index, outcomes) => {
          if (this.#phase === "old") this.#lineage.tellNewest({ type: "outcomes", outcomes });
          else this.#health.heard(outcomes);
        },
        onFailures: (failures) => {
          if (this.#phase === "old") this.#lineage.tellNewest({ type: "failures", failures });
          else this.#bans.heard(failures);
        },
        onRefused: (message) => this.#topRefused.heard(message),
        onStarted: (index) => {
          this.#drains.started(index);
          this.#tellWishes(index);
          this.#bans.started(index);
        },
        onGone: (index) => this.#drains.gone(index),
        onLeft: (index, message) => this.#drains.left(index, message),
        onLogFault: (message) => this.#logFaults.say(message),
      });
      const rows = this.#names.apply(this.#rows);
      this.#health.want(rows, this.#checks);
      this.#supervisor.start(rows);
      this.#setDrains(1);
    });
  }

  /** What operators have asked for, to a worker that has just started. */
  #tellWishes(index: number): void {
    if (this.#traced.length > 0) this.#supervisor.tell({ type: "trace", traced: this.#traced }, index);
    if (this.#level !== this.#config.log.level) this.#supervisor.tell({ type: "log-level", level: this.#level }, index);
  }

  async #onReload(outcome: ReloadOutcome): Promise<void> {
    if (this.#stopping) return;
    const { compiled, refused, diagnostics, failures, durationMs } = outcome;
    this.#givingBack.soon();
    this.#manager.tell("READY=1");
    // An old one loads what is new for the connections that it has; the newest says what there is to say of it.
    const isOld = this.#phase === "old";
    if (!isOld) this.#logDiagnostics(diagnostics.list);
    this.#metrics.diagnosed([this.#staticDiagnostics, diagnostics]);
    const isRefused = compiled === null || refused.length > 0;
    this.#metrics.reloaded(compiled, !isRefused, failures);
    if (isRefused && !isOld)
      this.#logger.error({ providers: refused }, "the configuration is not loaded: what served before goes on serving");
    if (compiled === null) {
      this.#desk?.loaded(outcome, null);
      return;
    }
    this.#rows = compiled.rows;
    this.#names.want(compiled.rows.values());
    this.#awaitsNames = !this.#names.isReady;
    if (this.#awaitsNames) {
      await this.#names.ready();
      // A later one is in force already, or waits for its own names.
      if (this.#stopping || this.#rows !== compiled.rows) return;
      this.#awaitsNames = false;
    }
    this.#named = compiled.named;
    this.#checks = compiled.checks;
    const version = this.#publish();
    this.#desk?.came(outcome, compiled, version, this.#staticDiagnostics.list);
    this.#desk?.loaded(outcome, version);
    this.#setDrains(version);
    if (!isOld) this.#acme?.want(compiled.orders);
    // What others have changed, and new certificates, are in force beside what was refused.
    if (isRefused) return;
    // Old workers go one by one, and none replaces them.
    if (isOld) return;
    const { routers, certificates } = compiled;
    const facts = { version, routers: routers.length, certificates: certificates.length, ms: Math.round(durationMs) };
    void this.#whenLoaded(version).then(() => this.#logger.info(facts, "configuration loaded"));
  }

  /** Resolves when all workers have a version. Never when it comes to no end: then Sluice is stopping. */
  async #whenLoaded(version: number): Promise<void> {
    if (await this.#supervisor.settled(version, LOADED_MS)) return;
    const workers = this.#supervisor.lacking(version);
    if (!this.#stopping) this.#logger.warn({ version, workers }, "a new configuration is not in force in all workers");
    await this.#supervisor.settled(version, null);
  }

  async #openApi(): Promise<OpenApi | null> {
    const { api } = this.#config;
    const desk = this.#desk;
    if (api === undefined || desk === null) return null;
    const sources: ApiSources = {
      config: this.#config,
      version: VERSION,
      startedAt: this.#startedAt,
      inForce: () => desk.inForce!,
      servers: () => this.#health.states(),
      ask: (question, about) => this.#supervisor.ask(question, about),
      loads: () => desk.loads,
      events: () => desk.events,
      onEvent: (listener) => desk.listen(listener),
      history: () => this.#history?.samples ?? [],
      drains: () => this.#drains.states().map(drainLook),
      bans: () => this.#bans.list(),
      acme: () => this.#acme?.states() ?? [],
      providers: () => this.#providers.map(providerLook),
      processes: () => [...this.#processes()].flatMap(([role, pids]) => pids.map((pid) => processLook(role, pid))),
      figures: async () => addUp(await this.#collect()),
      drain: (service, server, policy) => this.#drains.drain(service, server, policy),
      undrain: (service, server) => this.#drains.undrain(service, server),
      ban: (entryPoint, network, ms) => this.#bans.ban(entryPoint, network, ms),
      lift: (entryPoint, network) => this.#bans.lift(entryPoint, network),
      reload: () => void this.reload(),
      renew: (name) => this.#acme?.renew(name) ?? false,
      traced: () => this.#traced,
      trace: (traced) => {
        this.#traced = traced;
        this.#supervisor.tell({ type: "trace", traced });
      },
      level: () => this.#level,
      setLevel: (level) => {
        this.#level = level;
        this.#log.setLevel(level);
        this.#supervisor.tell({ type: "log-level", level });
      },
    };
    this.#history = new History(() => this.#supervisor.told());
    const { openApi } = await import("./api.ts");
    return openApi(api, sources, this.#logger, this.#origin.predecessor?.welcome.apiSocket ?? null);
  }

  #processes(): Map<string, readonly number[]> {
    const processes = new Map<string, readonly number[]>([
      ["master", [process.pid]],
      ["worker", this.#supervisor.pids],
    ]);
    const broker = this.#broker?.pid ?? null;
    if (broker !== null) processes.set("broker", [broker]);
    const { pids } = this.#lineage.olds;
    if (pids.length > 0) processes.set("old", pids);
    return processes;
  }

  #setFirstWord(): void {
    this.#sockets.whereClientsSpeakFirst(whereClientsSpeakFirst(this.#config.entryPoints.keys(), this.#rows.values()));
  }

  #publish(): number {
    const rows = this.#names.apply(this.#rows);
    if (this.#phase !== "old") {
      this.#setFirstWord();
      this.#health.want(rows, this.#checks);
    }
    return this.#supervisor.publish(this.#challenges.size === 0 ? rows : new Map([...rows, ...this.#challenges]));
  }

  /** What is drained, and what has been removed, by the configuration and by what DNS says now. */
  #setDrains(version: number): void {
    const configured = this.#rows;
    this.#drains.inForce({ rows: this.#names.apply(configured), configured, named: this.#named }, version);
  }

  #onNames(): void {
    if (!this.#stopping && this.#supervisor !== undefined && !this.#awaitsNames) this.#setDrains(this.#publish());
  }

  async #createAcme(): Promise<AcmeManager | null> {
    if (acmeOf(this.#config).length === 0) return null;
    const { createManager } = await import("./acme.ts");
    const host = {
      publish: async (row: Row) => {
        this.#challenges.set(rowKey(row), row);
        await this.#supervisor.settled(this.#publish(), CHALLENGE_SETTLE_MS);
      },
      withdraw: (row: Row) => {
        this.#challenges.delete(rowKey(row));
        if (!this.#stopping) this.#publish();
      },
    };
    try {
      return createManager(this.#config, host, this.#httpChallenges, this.#logger, {
        onObtained: () => this.#reloader.request(),
        onResult: (resolver, result) => this.#metrics.acmeResult(resolver, result),
      });
    } catch (error) {
      throw new StartError((error as Error).message);
    }
  }

  #storedCertificates(): StoredCertificate[] {
    if (this.#acme === null) return [];
    const { certificates, problems } = this.#acme.stored();
    for (const problem of problems) this.#logger.error({ code: "acme-storage" satisfies Code }, problem);
    return certificates.map(({ certificate }) => certificate);
  }

  #logDiagnostics(list: readonly Diagnostic[]): void {
    for (const each of list)
      this.#logger[each.severity === "error" ? "error" : "warn"]({ code: each.code }, describeDiagnostic(each));
  }

  /** What all workers count, those of old generations too. */
  async #collect(): Promise<MetricJson[][]> {
    const [own, old] = await Promise.all([this.#supervisor.collect(), this.#lineage.olds.collect()]);
    // They accept nobody any more.
    return [...own, ...old.map((each) => each.filter(({ name }) => name !== "sluice_connections_limit"))];
  }

  async #render(): Promise<string> {
    const collected = await this.#collect();
    this.#fillMetrics();
    return this.#metrics.render(collected, this.#supervisor.restarts, this.#log.dropped(), this.#processes());
  }

  #fillMetrics(): void {
    const { olds, generation } = this.#lineage;
    this.#metrics.generations(generation, olds.count, olds.connections);
    this.#metrics.nameStates(this.#names.states());
    this.#metrics.providerStates(
      this.#providers.flatMap((each) => (each.state === undefined ? [] : [{ name: each.name, ...each.state() }])),
    );
    this.#metrics.acmeStates(this.#acme?.states() ?? []);
    this.#metrics.banFigures(this.#bans.figures());
    this.#metrics.drainStates(this.#drains.states());
    this.#metrics.serverStates(this.#health.states());
    this.#metrics.workerStates(this.#supervisor.states(), this.#supervisor.hangs);
  }
}
