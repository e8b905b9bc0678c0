// What there is now beside connections: servers, certificates, providers, bans, processes, figures.

import { z } from "zod";
import { shown } from "../../config/shown.ts";
import { staticSchema } from "../../config/static-schema.ts";
import type { WatchedState } from "../../health/watch.ts";
import type { MetricJson } from "../../observe/metric-json.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ApiSources, DrainLook } from "../sources.ts";
import { detailsOf, statusOf } from "../traefik/certificates.ts";
import { diagnostic, diagnosticOf, iso, moment } from "./shapes.ts";

const text = z.string();
const number = z.number();

const server = z.object({
  service: text,
  address: text,
  health: z.enum(["up", "down", "unknown"]),
  by: text.nullable().meta({ description: "What its health follows from: check, dials or clients." }),
  reason: text.meta({ description: "Why it is down." }),
  checked: z.boolean().meta({ description: "Whether it has a health check." }),
  latencyMs: number.nullable(),
  weight: number,
  maxConnections: number.nullable(),
  backup: z.boolean(),
  open: number.meta({ description: "Connections open at it now." }),
  connections: number.meta({ description: "Connections that have reached it so far." }),
  errors: number.meta({ description: "Dials that failed so far." }),
  drain: z.object({ policy: z.record(text, z.unknown()), left: number }).nullable(),
});

const certificate = z.looseObject({
  names: z.array(text),
  commonName: text,
  serial: text.meta({ description: "Hexadecimal." }),
  source: text.nullable().meta({ description: "The file it is from; null: a resolver has obtained it." }),
  notBefore: moment,
  notAfter: moment,
  daysLeft: number,
  status: z.enum(["enabled", "warning", "expired"]),
  resolver: text.nullable(),
  nextRenewal: moment.nullable(),
  failures: number,
  lastError: text.nullable(),
});

const figure = z.object({ name: text, labels: z.record(text, z.union([text, number])), value: number });

export function presentEndpoints(sources: ApiSources): Endpoint[] {
  return [
    {
      method: "GET",
      path: "/api/sluice/servers",
      role: "viewer",
      summary: "Servers of all services, with their health, what they have, and drains.",
      answer: z.object({ servers: z.array(server) }),
      handle: async () => {
        const figures = new Figures(await sources.figures());
        const drains = new Map(
          sources
            .drains()
            .filter(({ reason }) => reason === "drained")
            .map((each) => [`${each.service} ${each.server}`, each]),
        );
        return { servers: [...sources.servers()].map((state) => serverLook(state, figures, drains)) };
      },
    },
    {
      method: "GET",
      path: "/api/sluice/removed",
      role: "viewer",
      summary: "What a reload has removed and connections are still to end for.",
      answer: z.object({ removed: z.array(z.object({ router: text, service: text, server: text, left: number })) }),
      handle: () => ({
        removed: sources
          .drains()
          .filter(({ reason }) => reason === "removed")
          .map(({ router, service, server, left }) => ({ router, service, server, left })),
      }),
    },
    {
      method: "GET",
      path: "/api/sluice/certificates",
      role: "viewer",
      summary:
        "Certificates with where they are from, when they expire, and when they are renewed; those that are still to come among them.",
      answer: z.object({ certificates: z.array(certificate) }),
      handle: () => ({ certificates: certificatesOf(sources) }),
    },
    {
      method: "GET",
      path: "/api/sluice/providers",
      role: "viewer",
      summary: "Where routes come from, and how the way there is.",
      answer: z.object({
        providers: z.array(
          z.object({ name: text, state: text, lastSuccess: moment.nullable(), diagnostics: z.array(diagnostic) }),
        ),
      }),
      handle: () => ({
        providers: sources.providers().map(({ name, state, lastSuccess, diagnostics }) => ({
          name,
          state,
          lastSuccess: lastSuccess === null ? null : iso(lastSuccess),
          diagnostics: diagnostics.map(diagnosticOf),
        })),
      }),
    },
    {
      method: "GET",
      path: "/api/sluice/bans",
      role: "viewer",
      summary: "Who is banned now.",
      answer: z.object({ bans: z.array(z.object({ entryPoint: text, network: text, until: moment, reason: text })) }),
      handle: () => ({
        bans: sources
          .bans()
          .map(({ entryPoint, network, until, reason }) => ({ entryPoint, network, until: iso(until), reason })),
      }),
    },
    {
      method: "GET",
      path: "/api/sluice/processes",
      role: "viewer",
      summary: "Sluice's processes: memory in bytes, CPU in seconds, open descriptors.",
      answer: z.object({
        startedAt: moment,
        processes: z.array(
          z.object({
            role: text,
            pid: number,
            memory: number.nullable(),
            cpuSeconds: number.nullable(),
            descriptors: number.nullable(),
          }),
        ),
      }),
      handle: () => ({ startedAt: sources.startedAt.toISOString(), processes: sources.processes() }),
    },
    {
      method: "GET",
      path: "/api/sluice/figures",
      role: "viewer",
      summary: "Figures of all workers together, those of /metrics without histograms' buckets.",
      query: { names: "Those with these names, with commas between them." },
      answer: z.object({ at: moment, figures: z.array(figure) }),
      handle: async ({ query }) => {
        const names = query.get("names");
        const wanted = names === null || names === "" ? null : new Set(names.split(","));
        const figures = (await sources.figures()).flatMap(({ name, values }) =>
          wanted !== null && !wanted.has(name)
            ? []
            : values
                .filter(({ labels }) => labels.le === undefined)
                .map(({ labels, value, metricName }) => ({ name: metricName ?? name, labels: { ...labels }, value })),
        );
        return { at: new Date().toISOString(), figures };
      },
    },
    {
      method: "GET",
      path: "/api/sluice/configuration",
      role: "viewer",
      summary: "The static configuration in force, defaults included, secrets covered.",
      answer: z.object({ value: z.record(text, z.unknown()), limits: z.record(text, z.unknown()) }),
      handle: () => ({
        value: shown(staticSchema, sources.config.value) ?? {},
        limits: {
          ...(shown(staticSchema.shape.limits, sources.config.value.limits) as object),
          workers: sources.config.workers,
        },
      }),
    },
  ];
}

/** Figures by name and labels. */
class Figures {
  readonly #sums = new Map<string, number>();

  constructor(metrics: readonly MetricJson[]) {
    for (const { name, values } of metrics) {
      if (!name.startsWith("sluice_server_") && !name.startsWith("sluice_dial_errors")) continue;
      for (const { labels, value } of values) {
        const key = keyOf(name, String(labels.service), String(labels.server));
        this.#sums.set(key, (this.#sums.get(key) ?? 0) + value);
      }
    }
  }

  of(name: string, service: string, server: string): number {
    return this.#sums.get(keyOf(name, service, server)) ?? 0;
  }
}

function keyOf(name: string, service: string, server: string): string {
  return `${name} ${service} ${server}`;
}

function serverLook(
  { watched, health, latencyMs }: WatchedState,
  figures: Figures,
  drains: ReadonlyMap<string, DrainLook>,
): z.output<typeof server> {
  const { service, server, check } = watched;
  const drain = drains.get(`${service} ${server.address}`);
  const of = (name: string) => figures.of(name, service, server.address);
  const open = of("sluice_server_open_connections");
  return {
    service,
    address: server.address,
    health: health.health,
    by: health.cause,
    reason: health.reason,
    checked: check !== null,
    latencyMs: latencyMs === null ? null : Math.round(latencyMs * 10) / 10,
    weight: server.weight ?? 1,
    maxConnections: server.maxConnections ?? null,
    backup: server.backup ?? false,
    open,
    connections: open + of("sluice_server_connections_total"),
    errors: of("sluice_dial_errors_total"),
    drain: drain === undefined ? null : { policy: { ...drain.policy }, left: drain.left },
  };
}

const DAY_MS = 86_400_000;

function certificatesOf(sources: ApiSources, now = Date.now()): z.output<typeof certificate>[] {
  const { compiled } = sources.inForce();
  const states = sources.acme();
  const stateOf = (names: readonly string[]) =>
    states.find((state) => state.names.every((name) => names.includes(name)));
  const inUse = compiled.certificates.map((each) => {
    const state = each.source === null ? stateOf(each.names) : undefined;
    const details = detailsOf(compiled, each);
    return {
      ...(details !== null && {
        issuer: details.issuerCN ?? details.issuerOrg ?? "",
        keyType: details.keyType,
        fingerprint: details.name,
      }),
      names: [...each.names],
      commonName: each.commonName,
      serial: each.serial,
      source: each.source,
      notBefore: iso(each.notBefore),
      notAfter: iso(each.notAfter),
      daysLeft: Math.floor((each.notAfter - now) / DAY_MS),
      status: statusOf(each.notAfter, now),
      resolver: state?.resolver ?? null,
      nextRenewal: state === undefined ? null : iso(state.next),
      failures: state?.failures ?? 0,
      lastError: state?.lastError ?? null,
    };
  });
  const missing = states
    .filter(({ notAfter }) => notAfter === null)
    .map(({ resolver, names, next, failures, lastError }) => ({
      ...{
        names: [...names],
        commonName: names[0] ?? "",
        serial: "",
        source: null,
        notBefore: "",
        notAfter: "",
        daysLeft: 0,
      },
      ...{ status: "expired" as const, resolver, nextRenewal: iso(next), failures, lastError },
    }));
  return [...inUse, ...missing];
}
