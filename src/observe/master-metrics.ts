// /metrics: the workers' figures added up, and the master's own.

import type { CertificateState } from "../acme/plan.ts";
import type { Failure } from "../certs/files.ts";
import type { Compiled } from "../compile/compile.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { WatchedState } from "../health/watch.ts";
import { readAcceptQueues } from "../system/accept-queues.ts";
import { readProcess } from "../system/processes.ts";
import { addUp, type MetricDescription, type MetricJson, onlyTotals } from "./metric-json.ts";
import { Counter, Gauge, metricsText, Registry } from "./registry.ts";

/** Failing sources that are told apart: with more, the first ones say enough. */
const MAX_SOURCES = 100;
const MAX_NAMES = 1000;

/** What is known of a name that is followed in DNS. */
export interface NameState {
  readonly name: string;
  /** Of its last good answer. */
  readonly servers: number;
  readonly isFailing: boolean;
  /** Questions so far, by what came of them. */
  readonly good: number;
  readonly failed: number;
}

/** Totals that a new process counts from its own beginning: of what runs now, of the kernel, and of what may be gone. */
const OF_NOW: ReadonlySet<string> = new Set([
  "sluice_process_cpu_seconds_total",
  "sluice_listen_overflows_total",
  "sluice_listen_drops_total",
  "sluice_server_checks_total",
  "sluice_server_name_lookups_total",
]);

export class MasterMetrics {
  #inherited: readonly MetricJson[] = [];
  readonly #registry = new Registry();
  readonly #reloads: Counter<"result">;
  readonly #lastSuccess: Gauge;
  readonly #lastWasGood: Gauge;
  readonly #diagnostics: Gauge<"severity" | "code">;
  readonly #expiry: Gauge<"cn" | "serial" | "sans">;
  readonly #loadErrors: Counter<"source">;
  readonly #failing: Gauge<"source">;
  readonly #crlThisUpdate: Gauge<"options">;
  readonly #crlNextUpdate: Gauge<"options">;
  readonly #acmeOrders: Counter<"resolver" | "result">;
  readonly #providerUp: Gauge<"provider">;
  readonly #providerSuccess: Gauge<"provider">;
  readonly #acmeNext: Gauge<"resolver" | "cn">;
  readonly #acmeExpiry: Gauge<"resolver" | "cn">;
  readonly #acmeError: Gauge<"resolver">;
  readonly #nameServers: Gauge<"name">;
  readonly #nameFailing: Gauge<"name">;
  readonly #nameLookups: Counter<"name" | "result">;
  readonly #drains: Gauge<"service" | "server">;
  readonly #removed: Gauge<"router" | "service" | "server">;
  readonly #serverUp: Gauge<"service" | "server">;
  readonly #checks: Counter<"service" | "server" | "result">;
  readonly #checkLatency: Gauge<"service" | "server">;
  readonly #banned: Gauge<"entrypoint">;
  readonly #banWatched: Gauge<"entrypoint">;
  readonly #bansBegun: Counter<"entrypoint" | "reason">;
  readonly #banEvictions: Counter<"entrypoint">;
  readonly #listenOverflows: Counter;
  readonly #listenDrops: Counter;
  readonly #restarts: Counter;
  readonly #upgrades: Counter<"result">;
  readonly #generation: Gauge;
  readonly #oldGenerations: Gauge;
  readonly #oldConnections: Gauge;
  readonly #dropped: Counter;
  readonly #cpu: Counter<"process">;
  readonly #memory: Gauge<"process">;
  readonly #fds: Gauge<"process">;
  readonly #maxFds: Gauge<"process">;
  readonly #workers: Gauge;
  readonly #workerUp: Gauge<"worker">;
  readonly #workerVersion: Gauge<"worker">;
  readonly #workerSilence: Gauge<"worker">;
  readonly #workerOpen: Gauge<"worker">;
  readonly #imbalance: Gauge;
  readonly #hangs: Counter;
  readonly #wantedWorkers: Gauge;

  constructor(version: string) {
    const registers = [this.#registry];
    this.#reloads = new Counter({
      name: "sluice_config_reloads_total",
      help: "Loads of the dynamic configuration, the first one included.",
      labelNames: ["result"],
      registers,
    });
    this.#lastSuccess = new Gauge({
      name: "sluice_config_last_reload_success_timestamp_seconds",
      help: "When the running configuration was loaded (Unix time).",
      registers,
    });
    this.#lastWasGood = new Gauge({
      name: "sluice_config_last_reload_successful",
      help: "1 if the last load took effect, 0 if it was refused and what served before goes on serving.",
      registers,
    });
    this.#diagnostics = new Gauge({
      name: "sluice_config_diagnostics",
      help: "What is wrong with the configuration: the static file's, and what the last load found, also when it was refused.",
      labelNames: ["severity", "code"],
      registers,
    });
    this.#expiry = new Gauge({
      name: "sluice_tls_certificate_not_after_timestamp_seconds",
      help: "When each configured certificate expires (Unix time).",
      labelNames: ["cn", "serial", "sans"],
      registers,
    });
    this.#loadErrors = new Counter({
      name: "sluice_tls_source_errors_total",
      help: "Readings of a certificate, key, key store, directory, authority, revocation list or password file that failed.",
      labelNames: ["source"],
      registers,
    });
    this.#failing = new Gauge({
      name: "sluice_tls_source_failing",
      help: "1 for each certificate, key, key store, directory, authority, revocation list or password file whose last reading failed, the first 100; what it held before goes on serving, if there was anything.",
      labelNames: ["source"],
      registers,
    });
    this.#crlThisUpdate = new Gauge({
      name: "sluice_tls_crl_this_update_timestamp_seconds",
      help: "When the oldest revocation list of these TLS options was issued (Unix time).",
      labelNames: ["options"],
      registers,
    });
    this.#crlNextUpdate = new Gauge({
      name: "sluice_tls_crl_next_update_timestamp_seconds",
      help: "When the first revocation list of these TLS options is due for renewal (Unix time): after it, its clients are refused.",
      labelNames: ["options"],
      registers,
    });
    this.#acmeOrders = new Counter({
      name: "sluice_acme_orders_total",
      help: "Certificates ordered: obtained, renewed, taken from another Sluice, or failed.",
      labelNames: ["resolver", "result"],
      registers,
    });
    this.#acmeNext = new Gauge({
      name: "sluice_acme_next_order_timestamp_seconds",
      help: "When each wanted certificate is next ordered or renewed (Unix time).",
      labelNames: ["resolver", "cn"],
      registers,
    });
    this.#acmeExpiry = new Gauge({
      name: "sluice_acme_certificate_not_after_timestamp_seconds",
      help: "When each certificate of a resolver expires (Unix time); 0 while there is none.",
      labelNames: ["resolver", "cn"],
      registers,
    });
    this.#acmeError = new Gauge({
      name: "sluice_acme_last_error_timestamp_seconds",
      help: "When an order of the resolver last failed (Unix time).",
      labelNames: ["resolver"],
      registers,
    });
    this.#banned = new Gauge({
      name: "sluice_banned_addresses",
      help: "Addresses that are banned now.",
      labelNames: ["entrypoint"],
      registers,
    });
    this.#banWatched = new Gauge({
      name: "sluice_ban_watched_addresses",
      help: "Addresses whose failures, or former bans, are remembered now.",
      labelNames: ["entrypoint"],
      registers,
    });
    this.#bansBegun = new Counter({
      name: "sluice_bans_total",
      help: "Bans that have begun, by the reason of the last failure, or by-hand.",
      labelNames: ["entrypoint", "reason"],
      registers,
    });
    this.#banEvictions = new Counter({
      name: "sluice_ban_evictions_total",
      help: "Addresses whose failures were forgotten, and bans that were lifted, because others needed the room.",
      labelNames: ["entrypoint"],
      registers,
    });
    this.#listenOverflows = new Counter({
      name: "sluice_listen_overflows_total",
      help: "Connections that found the accept queue of a listener full, as the kernel counts them: of all listeners of the network namespace. Linux alone has it.",
      registers,
    });
    this.#listenDrops = new Counter({
      name: "sluice_listen_drops_total",
      help: "Connections that the kernel dropped before a listener got them, the overflows among them: of all listeners of the network namespace.",
      registers,
    });
    this.#nameServers = new Gauge({
      name: "sluice_server_name_servers",
      help: "Addresses or SRV records of each name that is followed in DNS, as of the last good answer.",
      labelNames: ["name"],
      registers,
    });
    this.#nameFailing = new Gauge({
      name: "sluice_server_name_failing",
      help: "1 for each name that is followed in DNS whose last question failed; its last good answer stays in use.",
      labelNames: ["name"],
      registers,
    });
    this.#nameLookups = new Counter({
      name: "sluice_server_name_lookups_total",
      help: "Questions to DNS about names that are followed.",
      labelNames: ["name", "result"],
      registers,
    });
    this.#providerUp = new Gauge({
      name: "sluice_provider_up",
      help: "0 while what a provider reads, such as Redis or the Docker daemon, cannot be had; else 1.",
      labelNames: ["provider"],
      registers,
    });
    this.#providerSuccess = new Gauge({
      name: "sluice_provider_last_success_timestamp_seconds",
      help: "When a provider was last read, since the start of Sluice; 0 for never. One that watches is read when something changes.",
      labelNames: ["provider"],
      registers,
    });
    this.#drains = new Gauge({
      name: "sluice_drain_connections",
      help: "Connections left with a server that is drained. A server has its series while it is drained.",
      labelNames: ["service", "server"],
      registers,
    });
    this.#removed = new Gauge({
      name: "sluice_removed_connections",
      help: "Connections left that are to be closed because a reload has removed what they came by: the router, or the server of a service.",
      labelNames: ["router", "service", "server"],
      registers,
    });
    this.#serverUp = new Gauge({
      name: "sluice_server_up",
      help: "0 while a server is taken out, by its checks or by what happened to clients; else 1.",
      labelNames: ["service", "server"],
      registers,
    });
    this.#checks = new Counter({
      name: "sluice_server_checks_total",
      help: "Checks of servers, and dials that were to bring one back, by what they found.",
      labelNames: ["service", "server", "result"],
      registers,
    });
    this.#checkLatency = new Gauge({
      name: "sluice_server_check_latency_seconds",
      help: "How long the last check that was not failed took, from the beginning to the last answer.",
      labelNames: ["service", "server"],
      registers,
    });
    this.#restarts = new Counter({
      name: "sluice_worker_restarts_total",
      help: "Workers that died and were replaced.",
      registers,
    });
    this.#dropped = new Counter({
      name: "sluice_master_log_lines_dropped_total",
      help: "The master's log lines dropped because they could not be written.",
      registers,
    });
    this.#upgrades = new Counter({
      name: "sluice_upgrades_total",
      help: "Times that new processes were to follow these, after SIGUSR2 or a change of the static configuration.",
      labelNames: ["result"],
      registers,
    });
    this.#generation = new Gauge({
      name: "sluice_generation",
      help: "The generation of processes that serves, counted from 1: each upgrade begins one.",
      registers,
    });
    this.#oldGenerations = new Gauge({
      name: "sluice_old_generations",
      help: "Generations before the one that serves, that have connections.",
      registers,
    });
    this.#oldConnections = new Gauge({
      name: "sluice_old_generation_connections",
      help: "Connections of old generations, as they last told. They are counted among the open connections too.",
      registers,
    });
    this.#workers = new Gauge({
      name: "sluice_workers",
      help: "Workers that accept connections and answer the master now.",
      registers,
    });
    this.#workerUp = new Gauge({
      name: "sluice_worker_up",
      help: "1 for each worker that accepts connections and answers the master; 0 while it starts, hangs or is gone.",
      labelNames: ["worker"],
      registers,
    });
    this.#workerVersion = new Gauge({
      name: "sluice_worker_snapshot_version",
      help: "The version of the configuration that each worker has in force; 0 while it has none. They are equal but for moments.",
      labelNames: ["worker"],
      registers,
    });
    this.#workerSilence = new Gauge({
      name: "sluice_worker_silence_seconds",
      help: "Time since each worker last said anything to the master, which it does at least once a second.",
      labelNames: ["worker"],
      registers,
    });
    this.#workerOpen = new Gauge({
      name: "sluice_worker_open_connections",
      help: "Connections open now, of each worker.",
      labelNames: ["worker"],
      registers,
    });
    this.#imbalance = new Gauge({
      name: "sluice_worker_imbalance_ratio",
      help: "The most connections that a worker has, over the mean of all: 1 is even, the number of workers is all in one.",
      registers,
    });
    this.#hangs = new Counter({
      name: "sluice_worker_hangs_total",
      help: "Workers that hung: they said nothing for 4.5 seconds and were killed. Their replacements are among the restarts.",
      registers,
    });
    this.#wantedWorkers = new Gauge({ name: "sluice_workers_configured", help: "Workers that should run.", registers });
    this.#cpu = new Counter({
      name: "sluice_process_cpu_seconds_total",
      help: "CPU time of the processes running now.",
      labelNames: ["process"],
      registers,
    });
    this.#memory = new Gauge({
      name: "sluice_process_resident_memory_bytes",
      help: "Resident memory.",
      labelNames: ["process"],
      registers,
    });
    this.#fds = new Gauge({
      name: "sluice_process_open_fds",
      help: "Open descriptors.",
      labelNames: ["process"],
      registers,
    });
    this.#maxFds = new Gauge({
      name: "sluice_process_max_fds",
      help: "Descriptors that these processes may open together.",
      labelNames: ["process"],
      registers,
    });
    const started = new Gauge({
      name: "sluice_start_time_seconds",
      help: "When the master started (Unix time).",
      registers,
    });
    started.set(performance.timeOrigin / 1000);
    const info = new Gauge({
      name: "sluice_build_info",
      help: "Always 1; the version is the label.",
      labelNames: ["version"],
      registers,
    });
    info.set({ version }, 1);
    for (const result of ["success", "failure"]) {
      this.#reloads.inc({ result }, 0);
      this.#upgrades.inc({ result }, 0);
    }
  }

  describe(): MetricDescription[] {
    return this.#registry.describe();
  }

  /**
   * A load: what is in force after it, or null when it was refused, and the sources of certificates that could not be used, or null
   * when they were not looked at.
   */
  reloaded(compiled: Compiled | null, isGood: boolean, failures: readonly Failure[] | null): void {
    this.#reloads.inc({ result: isGood ? "success" : "failure" });
    this.#lastWasGood.set(isGood ? 1 : 0);
    if (failures !== null) this.#failing.reset();
    for (const { source } of failures?.slice(0, MAX_SOURCES) ?? []) {
      this.#failing.set({ source }, 1);
      this.#loadErrors.inc({ source });
    }
    if (isGood) this.#lastSuccess.set(Date.now() / 1000);
    if (compiled === null) return;
    this.#expiry.reset();
    for (const { commonName, serial, names, notAfter } of compiled.certificates) {
      this.#expiry.set({ cn: commonName, serial, sans: [...names].sort().join(",") }, notAfter / 1000);
    }
    this.#crlThisUpdate.reset();
    this.#crlNextUpdate.reset();
    for (const { options, thisUpdate, nextUpdate } of compiled.revocations) {
      this.#crlThisUpdate.set({ options }, thisUpdate / 1000);
      if (nextUpdate !== null) this.#crlNextUpdate.set({ options }, nextUpdate / 1000);
    }
  }

  /** What was found in the parts of the configuration that count now. */
  diagnosed(parts: readonly Pick<Diagnostics, "counts">[]): void {
    this.#diagnostics.reset();
    for (const { counts } of parts)
      for (const severity of ["error", "warning"] as const)
        for (const [code, count] of counts[severity]) this.#diagnostics.inc({ severity, code }, count);
  }

  /** How the way to each provider is that can be away. */
  providerStates(
    states: readonly { readonly name: string; readonly isUp: boolean; readonly lastSuccess: number }[],
  ): void {
    for (const { name, isUp, lastSuccess } of states) {
      this.#providerUp.set({ provider: name }, isUp ? 1 : 0);
      this.#providerSuccess.set({ provider: name }, lastSuccess / 1000);
    }
  }

  acmeResult(resolver: string, result: "obtained" | "renewed" | "taken" | "failed"): void {
    this.#acmeOrders.inc({ resolver, result });
    if (result === "failed") this.#acmeError.set({ resolver }, Date.now() / 1000);
  }

  acmeStates(states: readonly CertificateState[]): void {
    this.#acmeNext.reset();
    this.#acmeExpiry.reset();
    for (const { resolver, names, next, notAfter } of states) {
      const labels = { resolver, cn: names[0]! };
      // There before the first failure: increase() does not see the event that a series begins with.
      this.#acmeOrders.inc({ resolver, result: "failed" }, 0);
      this.#acmeNext.set(labels, next / 1000);
      this.#acmeExpiry.set(labels, (notAfter ?? 0) / 1000);
    }
  }

  /** The names that are followed in DNS now; of more than MAX_NAMES the first ones are told apart. */
  nameStates(states: readonly NameState[]): void {
    this.#nameServers.reset();
    this.#nameFailing.reset();
    this.#nameLookups.reset();
    for (const { name, servers, isFailing, good, failed } of states.slice(0, MAX_NAMES)) {
      this.#nameServers.set({ name }, servers);
      this.#nameFailing.set({ name }, isFailing ? 1 : 0);
      this.#nameLookups.inc({ name, result: "success" }, good);
      this.#nameLookups.inc({ name, result: "failure" }, failed);
    }
  }

  /** Connections left that are to end. */
  drainStates(
    states: Iterable<{
      readonly reason: "drained" | "removed";
      readonly about: { readonly router?: string; readonly service?: string; readonly server?: string };
      readonly left: number;
    }>,
  ): void {
    this.#drains.reset();
    this.#removed.reset();
    for (const { reason, about, left } of states) {
      const { router = "", service = "", server = "" } = about;
      if (reason === "drained") this.#drains.set({ service, server }, left);
      else this.#removed.inc({ router, service, server }, left);
    }
  }

  /** Bans, by entry point. */
  banFigures(
    figures: Iterable<{
      readonly entryPoint: string;
      readonly banned: number;
      readonly watched: number;
      readonly evictions: number;
      readonly begun: ReadonlyMap<string, number>;
    }>,
  ): void {
    for (const metric of [this.#banned, this.#banWatched, this.#bansBegun, this.#banEvictions]) metric.reset();
    for (const { entryPoint: entrypoint, banned, watched, evictions, begun } of figures) {
      this.#banned.set({ entrypoint }, banned);
      this.#banWatched.set({ entrypoint }, watched);
      this.#banEvictions.inc({ entrypoint }, evictions);
      for (const [reason, count] of begun) this.#bansBegun.inc({ entrypoint, reason }, count);
    }
  }

  /** How servers are; those that are gone have no series any more. */
  serverStates(states: Iterable<WatchedState>): void {
    this.#serverUp.reset();
    this.#checks.reset();
    this.#checkLatency.reset();
    for (const { watched, health, latencyMs, results } of states) {
      const labels = { service: watched.service, server: watched.server.address };
      this.#serverUp.set(labels, health.health === "down" ? 0 : 1);
      for (const [result, count] of results) this.#checks.inc({ ...labels, result }, count);
      if (latencyMs !== null) this.#checkLatency.set(labels, latencyMs / 1000);
    }
  }

  upgraded(isGood: boolean): void {
    this.#upgrades.inc({ result: isGood ? "success" : "failure" });
  }

  /** The generation of this process, and those before it that have connections. */
  generations(generation: number, old: number, connections: number): void {
    this.#generation.set(generation);
    this.#oldGenerations.set(old);
    this.#oldConnections.set(connections);
  }

  /** How workers are, those included that do not run just now; and how many have hung so far. */
  workerStates(
    states: readonly {
      readonly index: number;
      readonly isWell: boolean;
      readonly version: number;
      readonly silentMs: number | null;
      readonly open: number;
    }[],
    hangs: number,
  ): void {
    this.#workers.set(states.filter(({ isWell }) => isWell).length);
    this.#hangs.reset();
    this.#hangs.inc(hangs);
    this.#workerSilence.reset();
    const mean = states.reduce((sum, { open }) => sum + open, 0) / states.length;
    this.#imbalance.set(mean === 0 ? 1 : Math.max(...states.map(({ open }) => open)) / mean);
    for (const { index, isWell, version, silentMs, open } of states) {
      const worker = String(index);
      this.#workerUp.set({ worker }, isWell ? 1 : 0);
      this.#workerVersion.set({ worker }, version);
      this.#workerOpen.set({ worker }, open);
      if (silentMs !== null) this.#workerSilence.set({ worker }, silentMs / 1000);
    }
  }

  /** How many workers the supervisor keeps running. */
  wanted(workers: number): void {
    this.#wantedWorkers.set(workers);
  }

  /** What masters before this one have counted. */
  inherit(totals: readonly MetricJson[]): void {
    this.#inherited = addUp([this.#inherited, totals]);
  }

  /** What this one has counted and those before it, for the one that follows. */
  totals(restarts: number, droppedLines: number): MetricJson[] {
    this.#fill(restarts, droppedLines);
    const own = onlyTotals(this.#registry.toJson()).filter(({ name }) => !OF_NOW.has(name));
    return addUp([this.#inherited, own]);
  }

  #fill(restarts: number, droppedLines: number): void {
    this.#restarts.reset();
    this.#restarts.inc(restarts);
    this.#dropped.reset();
    this.#dropped.inc(droppedLines);
  }

  /** Prometheus' text format. `workers` is what the supervisor collected; `processes` are pids by name. */
  render(
    workers: readonly MetricJson[][],
    restarts: number,
    droppedLines: number,
    processes: ReadonlyMap<string, readonly number[]>,
  ): string {
    this.#fill(restarts, droppedLines);
    const queues = readAcceptQueues();
    this.#listenOverflows.reset();
    this.#listenDrops.reset();
    if (queues !== null) {
      this.#listenOverflows.inc(queues.overflows);
      this.#listenDrops.inc(queues.drops);
    }
    this.#cpu.reset();
    this.#memory.reset();
    this.#fds.reset();
    this.#maxFds.reset();
    for (const [name, pids] of processes) {
      for (const pid of pids) {
        const figures = readProcess(pid);
        if (figures === null) continue;
        this.#cpu.inc({ process: name }, figures.cpuSeconds);
        this.#memory.inc({ process: name }, figures.residentBytes);
        this.#fds.inc({ process: name }, figures.openFds);
        this.#maxFds.inc({ process: name }, figures.maxFds);
      }
    }
    return metricsText([...addUp([this.#registry.toJson(), this.#inherited]), ...addUp(workers)]);
  }
}
