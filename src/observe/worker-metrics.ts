// The metrics that workers have. Counted in plain fields, made into series when the master collects. Labels come only from the
// configuration and from fixed sets.

import type { AuthResult } from "../middlewares/mqtt-auth.ts";
import type { Edge } from "../proxy/edge.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { Target } from "../upstream/service.ts";
import { Buckets } from "./buckets.ts";
import type { MetricDescription, MetricJson } from "./metric-json.ts";
import { Counter, Gauge, Registry } from "./registry.ts";
import type { Shortages } from "./shortages.ts";

/** Seconds: from a resumed handshake on loopback to one that a slow modem takes. */
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DIAL_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];
/** Seconds: from a password of 101 rounds to one of a million, and what it may wait for its turn. */
const AUTHENTICATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LOOP_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/**
 * Results that deploy/prometheus/alerts.yml asks for. They are there with 0 from the start: rate() and increase() do not see the first
 * event of a series that appears with it.
 */
const ALERTED: readonly Reason[] = [
  "limit",
  "gave-way",
  "entry-point-full",
  "too-many-handshakes",
  "held-limit",
  "dial-failed",
  "unanswered",
  "service-down",
  "no-server",
  "servers-full",
  "router-off",
  "no-certificate",
  "client-certificate-unchecked",
];

/** The series of resumed handshakes, by version; the versions themselves are those of full ones. */
const RESUMED_KEYS: ReadonlyMap<string, string> = new Map(
  ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"].map((version) => [version, `${version} resumed`]),
);

// What a series is called by, asked for once per series.
const labelsOfFull = (version: string) => ({ version, resumed: "false" });
const labelsOfResumed = (version: string) => ({ version, resumed: "true" });
const labelsOfTarget = ({ service, server }: Target) => ({ service, server: server.address });
const labelsOfResult = (result: AuthResult) => ({ result });
const noLabels = () => ({});

export class WorkerMetrics {
  readonly #registry = new Registry();
  readonly #edge: () => Edge;
  readonly #shortages: Pick<Shortages, "counts">;
  readonly #dropped: () => number;
  readonly #handshake = new Buckets(
    "sluice_tls_handshake_duration_seconds",
    "Time from the ClientHello to the end of a successful handshake with a client.",
    ["version", "resumed"],
    HANDSHAKE_BUCKETS,
  );
  readonly #dial = new Buckets(
    "sluice_dial_duration_seconds",
    "Time to an open connection to a server, its TLS included.",
    ["service", "server"],
    DIAL_BUCKETS,
  );
  readonly #connect = new Buckets(
    "sluice_mqtt_connect_wait_seconds",
    "Time from the end of TLS, or from the first byte without it, to a whole CONNECT, where one is read.",
    [],
    HANDSHAKE_BUCKETS,
  );
  readonly #authentication = new Buckets(
    "sluice_mqtt_authentication_duration_seconds",
    "Clients that mqttAuth has judged, by the result, and the time it took: waiting for a thread included, and 0 where there was no password to check.",
    ["result"],
    AUTHENTICATION_BUCKETS,
  );
  readonly #loop = new Buckets(
    "sluice_event_loop_delay_seconds",
    "How late the timer of a worker's event loop came; measured while any deadline is running.",
    [],
    LOOP_BUCKETS,
  );
  readonly #dialErrors: Counter<"service" | "server" | "reason">;
  /** The series of dialErrors, by server and then by reason. */
  readonly #failed = new Map<string, Map<string, { service: string; server: string; reason: string }>>();
  readonly #fill: (() => void)[] = [];

  constructor(edge: () => Edge, shortages: Pick<Shortages, "counts">, droppedLines: () => number) {
    const registers = [this.#registry];
    this.#edge = edge;
    this.#shortages = shortages;
    this.#dropped = droppedLines;
    this.#dialErrors = new Counter({
      name: "sluice_dial_errors_total",
      help: "Servers that could not be reached: dials that failed on every address of one.",
      labelNames: ["service", "server", "reason"],
      registers,
    });
    this.#gauges();
  }

  describe(): MetricDescription[] {
    return [...this.#registry.describe(), ...this.#histograms().map((buckets) => buckets.describe())];
  }

  handshake(version: string, resumed: boolean, ms: number): void {
    if (resumed)
      this.#handshake.observe(RESUMED_KEYS.get(version) ?? `${version} resumed`, ms / 1000, labelsOfResumed, version);
    else this.#handshake.observe(version, ms / 1000, labelsOfFull, version);
  }

  connect(ms: number): void {
    this.#connect.observe("", ms / 1000, noLabels, null);
  }

  dial(target: Target, ms: number): void {
    this.#dial.observe(target.key, ms / 1000, labelsOfTarget, target);
  }

  dialFailed({ key, service, server: { address: server } }: Target, reason: string): void {
    this.#dialErrors.inc({ service, server, reason });
    let failed = this.#failed.get(key);
    if (failed === undefined) this.#failed.set(key, (failed = new Map()));
    if (!failed.has(reason)) failed.set(reason, { service, server, reason });
  }

  /** Forgets what was counted of servers that are gone: DNS may name others every day. */
  keepServers(isKnown: (key: string) => boolean): void {
    this.#dial.keep(isKnown);
    for (const [key, failed] of this.#failed) {
      if (isKnown(key)) continue;
      for (const labels of failed.values()) this.#dialErrors.remove(labels);
      this.#failed.delete(key);
    }
  }

  authentication(result: AuthResult, ms: number): void {
    this.#authentication.observe(result, ms / 1000, labelsOfResult, result);
  }

  loopDelay(ms: number): void {
    this.#loop.observe("", ms / 1000, noLabels, null);
  }

  /** Everything as JSON, for the master to add up. */
  collect(): MetricJson[] {
    for (const fill of this.#fill) fill();
    return [...this.#registry.toJson(), ...this.histograms()];
  }

  /** What was timed. */
  histograms(): MetricJson[] {
    return this.#histograms().map((buckets) => buckets.toJson());
  }

  #histograms(): Buckets[] {
    return [this.#handshake, this.#connect, this.#authentication, this.#dial, this.#loop];
  }

  #gauges(): void {
    const gauge = <L extends string>(
      name: string,
      help: string,
      labelNames: L[],
      fill: (metric: Gauge<L>, edge: Edge) => void,
    ) => {
      const metric = new Gauge<L>({ name, help, labelNames, registers: [this.#registry] });
      this.#fill.push(() => {
        metric.reset();
        fill(metric, this.#edge());
      });
    };
    const counter = <L extends string>(
      name: string,
      help: string,
      labelNames: L[],
      fill: (metric: Counter<L>, edge: Edge) => void,
    ) => {
      const metric = new Counter<L>({ name, help, labelNames, registers: [this.#registry] });
      this.#fill.push(() => {
        metric.reset();
        fill(metric, this.#edge());
      });
    };
    gauge(
      "sluice_entrypoint_open_connections",
      "Connections open now, of an entry point.",
      ["entrypoint"],
      (metric, edge) => {
        for (const point of edge.entryPoints) metric.set({ entrypoint: point.name }, point.meters.open);
      },
    );
    gauge(
      "sluice_connections_limit",
      "Connections that the workers may have together (limits.maxConnections of each).",
      [],
      (metric, edge) => metric.set(edge.limits.maxConnections),
    );
    counter(
      "sluice_connections_total",
      "Connections ended, by how they ended.",
      ["entrypoint", "result"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints) {
          for (const result of ALERTED) metric.inc({ entrypoint, result }, 0);
          for (const [result, count] of meters.results) metric.inc({ entrypoint, result }, count);
        }
      },
    );
    counter(
      "sluice_tls_sessions_offered_total",
      "Handshakes of clients that wanted to resume a session: they did, or it was another worker's, or too old, and the handshake was a full one.",
      ["entrypoint", "result"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints) {
          metric.inc({ entrypoint, result: "resumed" }, meters.resumed);
          metric.inc({ entrypoint, result: "not-resumed" }, meters.notResumed);
        }
      },
    );
    counter(
      "sluice_admission_refusals_total",
      "Clients that an entry point did not admit, or that made room for others (gave-way), by how far they had come: accepted, their hello read, or their handshake done.",
      ["entrypoint", "reason", "stage"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints)
          for (const [reason, stages] of meters.refused)
            for (const [stage, count] of stages) metric.inc({ entrypoint, reason, stage }, count);
      },
    );
    counter(
      "sluice_admission_waits_total",
      "Clients that had to wait to be admitted, by the limit: its name is the reason of those who would wait too long.",
      ["entrypoint", "limit"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints)
          for (const [limit, count] of meters.waits) metric.inc({ entrypoint, limit }, count);
      },
    );
    gauge("sluice_admission_waiting", "Clients that wait now to be admitted.", ["entrypoint"], (metric, edge) => {
      for (const { name: entrypoint, admission } of edge.entryPoints) metric.set({ entrypoint }, admission.waiting);
    });
    gauge(
      "sluice_newcomers",
      "Connections now that have not come in yet: without a hello, the end of the handshake or CONNECT. Some of them make room when there is none.",
      ["entrypoint"],
      (metric, edge) => {
        for (const { name: entrypoint, newcomers } of edge.entryPoints) metric.set({ entrypoint }, newcomers.size);
      },
    );
    counter(
      "sluice_tls_handshake_failures_total",
      "Handshakes with clients that failed, by the cause: those that end with the result handshake-failed.",
      ["entrypoint", "cause"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints)
          for (const [cause, count] of meters.causes) metric.inc({ entrypoint, cause }, count);
      },
    );
    counter(
      "sluice_mqtt_connects_total",
      "CONNECTs read, by the version of MQTT (unknown where it could not be read) and by what came of it.",
      ["entrypoint", "version", "result"],
      (metric, edge) => {
        for (const { name: entrypoint, meters } of edge.entryPoints)
          for (const [version, results] of meters.connects)
            for (const [result, count] of results) metric.inc({ entrypoint, version, result }, count);
      },
    );
    gauge("sluice_hello_held_bytes", "Bytes held now of ClientHellos that have not come whole.", [], (metric, edge) =>
      metric.set(edge.hellos.held),
    );
    gauge(
      "sluice_router_open_connections",
      "Connections open now, of a router.",
      ["router", "service"],
      (metric, edge) => {
        for (const { router, service, open } of edge.meters.routes()) metric.set({ router, service }, open);
      },
    );
    counter(
      "sluice_router_connections_total",
      "Connections routed, refused ones included. A router has its series from its first connection on.",
      ["router", "service"],
      (metric, edge) => {
        for (const { router, service, connections } of edge.meters.routes())
          metric.inc({ router, service }, connections);
      },
    );
    counter(
      "sluice_router_bytes_total",
      "Bytes relayed; in is from clients, out is to clients.",
      ["router", "service", "direction"],
      (metric, edge) => {
        for (const route of edge.meters.routes()) {
          const { router, service } = route;
          metric.inc({ router, service, direction: "in" }, route.in.bytes);
          metric.inc({ router, service, direction: "out" }, route.out.bytes);
        }
      },
    );
    gauge(
      "sluice_server_open_connections",
      "Connections open now at a server; one counts from the moment on when the server is dialled for it.",
      ["service", "server"],
      (metric, edge) => {
        for (const { service, address, open } of edge.tables.servers)
          if (service !== "") metric.set({ service, server: address }, open);
      },
    );
    counter(
      "sluice_server_connections_total",
      "Connections that have reached a server and are over there, by how they ended. A client that goes on to another server, because this one closed before it answered (closed) or sent nothing (silent), counts at both.",
      ["service", "server", "result"],
      (metric, edge) => {
        for (const { service, address, ended } of edge.tables.servers)
          if (service !== "" && ended !== null)
            for (const [result, count] of ended) metric.inc({ service, server: address, result }, count);
      },
    );
    counter(
      "sluice_sticky_forgotten_total",
      "Clients that a sticky service has forgotten because maxEntries others came later.",
      ["service"],
      (metric, edge) => {
        for (const [service, { forgotten }] of edge.tables.balancers.stickyTables()) metric.inc({ service }, forgotten);
      },
    );
    gauge(
      "sluice_table_entries",
      "Clients that a limit counts now, over all workers: one that two workers know is two entries.",
      ["table"],
      (metric, edge) => {
        for (const { name, entries } of edge.keyed.status()) metric.set({ table: name }, entries);
      },
    );
    counter(
      "sluice_table_evictions_total",
      "Clients that the full table of a limit has let go of, or had no room for.",
      ["table"],
      (metric, edge) => {
        for (const { name, evictions } of edge.keyed.status()) metric.inc({ table: name }, evictions);
      },
    );
    counter(
      "sluice_relay_chunks_total",
      "Chunks relayed: direct was taken whole by one write, held had to wait for the receiver.",
      ["path"],
      (metric, edge) => {
        metric.inc({ path: "direct" }, edge.pool.chunksDirect);
        metric.inc({ path: "held" }, edge.pool.chunksHeld);
      },
    );
    counter(
      "sluice_relay_pauses_total",
      "Times a sender was paused because its receiver did not keep up.",
      [],
      (metric, edge) => metric.inc(edge.pool.pauses),
    );
    counter(
      "sluice_bandwidth_pauses_total",
      "Times a sender was not read for a while because the middleware bandwidth allows it no more.",
      [],
      (metric, edge) => metric.inc(edge.pool.pacedPauses),
    );
    counter("sluice_relay_cuts_total", "Connections cut because of a limit on held bytes.", [], (metric, edge) =>
      metric.inc(edge.pool.cuts),
    );
    gauge("sluice_relay_held_bytes", "Bytes held now for receivers that do not keep up.", [], (metric, edge) =>
      metric.set(edge.pool.held),
    );
    gauge("sluice_tls_contexts", "TLS contexts built and cached now.", [], (metric, edge) =>
      metric.set(edge.contexts.size),
    );
    counter(
      "sluice_shortages_total",
      "Clients that were closed and dials that failed for want of descriptors or of local ports, and seconds without any descriptor.",
      ["resource"],
      (metric) => {
        for (const [resource, count] of Object.entries(this.#shortages.counts)) metric.inc({ resource }, count);
      },
    );
    counter(
      "sluice_log_lines_dropped_total",
      "Workers' log lines dropped because they could not be written.",
      [],
      (metric) => metric.inc(this.#dropped()),
    );
  }
}
