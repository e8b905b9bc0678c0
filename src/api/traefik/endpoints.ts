// Traefik's read paths, in its shapes: dashboards and widgets made for Traefik work. HTTP and UDP are there with nothing in them.

import { z } from "zod";
import type { EntryPointConfig } from "../../config/entry-points.ts";
import { formatDuration } from "../../config/scalars.ts";
import type { Endpoint } from "../endpoint.ts";
import { ApiError } from "../failure.ts";
import { filtered, PAGE_QUERY, page, SORT_QUERY, sorted } from "../list.ts";
import type { ApiSources } from "../sources.ts";
import { certificatesOf } from "./certificates.ts";
import { middlewaresOf, routersOf, servicesOf } from "./objects.ts";

/** What Traefik calls a release; it has a cheese for each. */
const CODENAME = "sluice";

const object = z.record(z.string(), z.unknown());
const list = z.array(object);
const named = z.looseObject({ name: z.string(), provider: z.string(), status: z.string() });

export function traefikEndpoints(sources: ApiSources): Endpoint[] {
  const routers = () => routersOf(sources);
  const services = () => servicesOf(sources);
  const middlewares = () => middlewaresOf(sources);
  const certificates = () => certificatesOf(sources.inForce());
  const reads: Endpoint[] = [
    get(
      "/api/version",
      "The version of Sluice.",
      z.object({ Version: z.string(), Codename: z.string(), startDate: z.string() }),
      () => ({
        Version: sources.version,
        Codename: CODENAME,
        startDate: sources.startedAt.toISOString(),
      }),
    ),
    get("/api/overview", "How many of everything there are, and how many are wrong.", object, () => ({
      http: { routers: NONE, services: NONE, middlewares: NONE },
      tcp: { routers: tally(routers()), services: tally(services()), middlewares: tally(middlewares()) },
      udp: { routers: NONE, services: NONE },
      certificates: tally(certificates(), "expired"),
      features: {
        tracing: "",
        metrics: sources.config.metrics.prometheus === undefined ? "" : "Prometheus",
        accessLog: sources.config.accessLog !== undefined,
      },
      ...providersOf(sources),
    })),
    listOf("/api/entrypoints", "Entry points.", list, PAGE_QUERY, (query) =>
      page(
        entryPointsOf(sources).sort((a, b) => (a.name < b.name ? -1 : 1)),
        query,
      ),
    ),
    one("/api/entrypoints/{name}", "One entry point.", "entry point", () => entryPointsOf(sources)),
    listOf(
      "/api/tcp/routers",
      "Routers.",
      z.array(named),
      {
        ...SORT_QUERY,
        ...PAGE_QUERY,
        serviceName: "Those with this service.",
        middlewareName: "Those with this middleware, by its full name.",
      },
      (query) =>
        page(
          sorted(
            filtered(routers(), query, ({ name, rule = "" }) => [name, rule]).filter(
              (each) => hasService(each, query.get("serviceName")) && hasMiddleware(each, query.get("middlewareName")),
            ),
            query,
            {
              provider: ({ provider }) => provider,
              priority: ({ priority = 0 }) => priority,
              status: ({ status }) => status,
              rule: ({ rule = "" }) => rule,
              service: ({ service = "" }) => service,
              entryPoints: ({ entryPoints }) => entryPoints.length,
            },
          ),
          query,
        ),
    ),
    one("/api/tcp/routers/{name}", "One router.", "router", routers),
    listOf("/api/tcp/services", "Services.", z.array(named), { ...SORT_QUERY, ...PAGE_QUERY }, (query) =>
      page(
        sorted(
          filtered(services(), query, ({ name }) => [name]),
          query,
          {
            type: ({ type = "" }) => type,
            servers: ({ loadBalancer }) => loadBalancer?.servers?.length ?? 0,
            provider: ({ provider }) => provider,
            status: ({ status }) => status,
          },
        ),
        query,
      ),
    ),
    one("/api/tcp/services/{name}", "One service.", "service", services),
    listOf("/api/tcp/middlewares", "Middlewares.", z.array(named), { ...SORT_QUERY, ...PAGE_QUERY }, (query) =>
      page(
        sorted(
          filtered(middlewares(), query, ({ name }) => [name]),
          query,
          { type: ({ type }) => type, provider: ({ provider }) => provider, status: ({ status }) => status },
        ),
        query,
      ),
    ),
    one("/api/tcp/middlewares/{name}", "One middleware.", "middleware", middlewares),
    listOf("/api/certificates", "Certificates in use, without keys.", list, { ...SORT_QUERY, ...PAGE_QUERY }, (query) =>
      page(
        sorted(
          filtered(certificates(), query, (each) => [
            each.commonName,
            each.issuerOrg ?? "",
            each.issuerCN ?? "",
            ...each.sans,
          ]),
          query,
          {
            status: ({ status }) => status,
            issuer: ({ issuerOrg = "", issuerCN = "" }) => issuerOrg || issuerCN,
            validUntil: ({ notAfter }) => notAfter,
          },
        ),
        query,
      ),
    ),
    one(
      "/api/certificates/{name}",
      "One certificate, by the SHA-256 of it in hexadecimal.",
      "certificate",
      certificates,
    ),
    get("/api/rawdata", "Everything in force, secrets covered.", object, () => ({
      ...mapOf("tcpRouters", routers()),
      ...mapOf("tcpMiddlewares", middlewares()),
      ...mapOf("tcpServices", services()),
    })),
  ];
  // Traefik's dashboard asks for these too.
  for (const kind of ["http/routers", "http/services", "http/middlewares", "udp/routers", "udp/services"])
    reads.push(
      listOf(`/api/${kind}`, "Nothing: Sluice carries TCP.", list, { ...SORT_QUERY, ...PAGE_QUERY }, (query) =>
        page([], query),
      ),
    );
  return reads;
}

function get(path: string, summary: string, answer: z.ZodType, handle: () => unknown): Endpoint {
  return { method: "GET", path, role: "viewer", summary, answer, handle };
}

function listOf(
  path: string,
  summary: string,
  answer: z.ZodType,
  query: Readonly<Record<string, string>>,
  handle: (query: URLSearchParams) => unknown,
): Endpoint {
  return { method: "GET", path, role: "viewer", summary, query, answer, handle: (call) => handle(call.query) };
}

function one(path: string, summary: string, what: string, all: () => readonly { readonly name: string }[]): Endpoint {
  return {
    ...{ method: "GET", path, role: "viewer", summary, answer: object },
    handle: ({ parameters: { name } }) => {
      const found = all().find((each) => each.name === name);
      if (found === undefined) throw new ApiError(404, `${what} not found: ${name}`);
      return found;
    },
  };
}

const NONE = { total: 0, warnings: 0, errors: 0 } as const;

function tally(all: readonly { readonly status: string }[], wrong = "disabled") {
  const count = (status: string) => all.filter((each) => each.status === status).length;
  return { total: all.length, warnings: count("warning"), errors: count(wrong) };
}

function hasService({ service = "" }: { readonly service?: string }, wanted: string | null): boolean {
  if (wanted === null || wanted === "") return true;
  return service.includes("@") ? service === wanted : service === wanted.split("@")[0];
}

function hasMiddleware(
  { middlewares = [] }: { readonly middlewares?: readonly string[] },
  wanted: string | null,
): boolean {
  return wanted === null || wanted === "" || middlewares.includes(wanted);
}

/** As Go calls the fields of the configuration. */
const PROVIDERS: Readonly<Record<string, string>> = {
  file: "File",
  docker: "Docker",
  swarm: "Swarm",
  redis: "Redis",
  etcd: "Etcd",
  consul: "Consul",
  zooKeeper: "ZooKeeper",
  http: "HTTP",
};

function providersOf({ config }: ApiSources): { readonly providers?: readonly string[] } {
  const names = Object.entries(config.providers).flatMap(([name, value]) =>
    value !== undefined && PROVIDERS[name] !== undefined ? [PROVIDERS[name]] : [],
  );
  return names.length === 0 ? {} : { providers: names.sort() };
}

/** The address is the one that is configured, as in Traefik. */
function entryPointsOf({ config }: ApiSources) {
  return [...config.entryPoints.values()].map((point: EntryPointConfig) => ({
    address: point.address,
    ...(point.asDefault && { asDefault: true }),
    transport: {
      lifeCycle: { graceTimeOut: formatDuration(point.graceTimeoutMs) },
      respondingTimeouts: { readTimeout: formatDuration(point.readTimeoutMs) },
    },
    ...(point.proxyProtocol !== null && {
      proxyProtocol: {
        ...(point.proxyProtocol.insecure && { insecure: true }),
        ...(point.proxyProtocol.trustedIPs.length > 0 && { trustedIPs: point.proxyProtocol.trustedIPs }),
      },
    }),
    http: {},
    name: point.name,
  }));
}

/** By name, without what the name says. */
function mapOf(key: string, all: readonly { readonly name: string }[]): Record<string, unknown> {
  if (all.length === 0) return {};
  const entries = all.map((each) => {
    const { name, provider: _, type: __, priorityStr: ___, ...rest } = each as Record<string, unknown>;
    return [String(name), rest] as const;
  });
  return { [key]: Object.fromEntries(entries) };
}
