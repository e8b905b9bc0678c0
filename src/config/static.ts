// The static configuration: what is fixed while Sluice runs. Traefik's names and defaults where Traefik has them.

import { z } from "zod";
import { acme, checkResolver } from "./acme.ts";
import { decode, duration, section, unsupported } from "./decode.ts";
import type { Diagnostics, Place } from "./diagnostics.ts";
import { checkOverlaps, type EntryPointConfig, toEntryPoint } from "./entry-points.ts";
import { applyFlags, type Flag, takesValue } from "./flags.ts";
import { parseAddress, parsePort } from "./scalars.ts";
import { type Path, readSource, type SourceFile } from "./source.ts";
import { transport } from "./transport.ts";
import { applyVariables, type Environment } from "./variables.ts";

const LATER = "is not built into Sluice yet and is ignored";

const address = z.string().superRefine((value, context) => {
  const parsed = parseAddress(value);
  if (parsed.kind === "error") context.addIssue({ code: "custom", message: parsed.message });
});

const positive = (max: number) => z.number().int().min(1).max(max);

const entryPoint = z.object({
  address,
  asDefault: z.boolean().default(false),
  transport: section({
    respondingTimeouts: section({
      /** How long a client may take for its ClientHello and for the rest of the handshake, each. 0 would let one wait for ever. */
      readTimeout: duration(1, "must be longer than 0, or a silent client could hold a connection for ever").default(
        10_000,
      ),
      writeTimeout: unsupported("warn", "is bounded by readTimeout here"),
      idleTimeout: unsupported("warn", "has no effect on TCP in Traefik either"),
    }).prefault({}),
    lifeCycle: section({
      graceTimeOut: duration(0).default(10_000),
      requestAcceptGraceTimeout: unsupported("warn", LATER),
    }).prefault({}),
    keepAliveMaxTime: unsupported("warn", "is for HTTP"),
    keepAliveMaxRequests: unsupported("warn", "is for HTTP"),
  }).prefault({}),
  reusePort: unsupported("warn", "is always on between Sluice's own workers, and refused between two Sluices"),
  proxyProtocol: unsupported(
    "error",
    "is not built into Sluice yet; ignoring it would take the balancer's address for the client's",
  ),
  http: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  http2: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  http3: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  udp: unsupported("warn", "is for UDP, which Sluice does not serve"),
  observability: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  forwardedHeaders: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  allowACMEByPass: unsupported("warn", LATER),
});

const onAdmin = { entryPoint: z.string().default("traefik") };

const logFormat = z.enum(["common", "json"]);

/** Everything that a proxy beside one broker needs, in one section. */
const sidecar = z
  .object({
    /** Where the broker is: host:port, or a port on this machine. */
    address: z.string().superRefine((value, context) => {
      const parsed = parseAddress(parsePort(value) === null ? value : `:${value}`);
      if (parsed.kind === "error") context.addIssue({ code: "custom", message: parsed.message });
      else if (parsed.port === 0) context.addIssue({ code: "custom", message: "needs a port from 1 to 65535" });
    }),
    certFile: z.string().min(1).optional(),
    keyFile: z.string().min(1).optional(),
    certDirectory: z.string().min(1).optional(),
  })
  .meta({ scalarKey: "address" });

export const staticSchema = z.object({
  entryPoints: z.record(z.string(), entryPoint).default({}),
  providers: section({
    file: section({
      filename: z.string().min(1).optional(),
      directory: z.string().min(1).optional(),
      watch: z.boolean().default(true),
      debugLogGeneratedTemplate: unsupported("warn", "has no templates to show"),
    }).optional(),
    /** How long changes are gathered before the next reload: a reload happens at once, then not again for this long. */
    providersThrottleDuration: duration(0).default(200),
    ...Object.fromEntries(
      [
        "docker",
        "swarm",
        "kubernetesIngress",
        "kubernetesCRD",
        "kubernetesGateway",
        "knative",
        "consul",
        "consulCatalog",
        "nomad",
        "ecs",
        "etcd",
        "zooKeeper",
        "redis",
        "rest",
        "http",
        "plugin",
        "precedence",
      ].map((name) => [name, unsupported("warn", LATER)]),
    ),
  }).prefault({}),
  log: section({
    level: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "panic"]).default("info"),
    /** common is for people, json for collectors; without it: common on a terminal, else json. */
    format: logFormat.optional(),
    noColor: unsupported("warn", LATER),
    filePath: unsupported("warn", "is ignored: logs go to standard output"),
    maxSize: unsupported("warn", LATER),
    maxAge: unsupported("warn", LATER),
    maxBackups: unsupported("warn", LATER),
    compress: unsupported("warn", LATER),
    otlp: unsupported("warn", LATER),
  }).prefault({}),
  accessLog: section({
    filePath: unsupported("warn", "is ignored: access-log lines go to standard output"),
    format: unsupported("warn", "follows log.format here"),
    filters: unsupported("warn", LATER),
    fields: unsupported("warn", LATER),
    bufferingSize: unsupported("warn", LATER),
    addInternals: unsupported("warn", LATER),
    otlp: unsupported("warn", LATER),
  }).optional(),
  metrics: section({
    prometheus: section({
      ...onAdmin,
      buckets: unsupported("warn", LATER),
      addEntryPointsLabels: unsupported("warn", LATER),
      addRoutersLabels: unsupported("warn", LATER),
      addServicesLabels: unsupported("warn", LATER),
      manualRouting: unsupported("warn", LATER),
      headerLabels: unsupported("warn", "is for HTTP"),
    }).optional(),
    addInternals: unsupported("warn", LATER),
    datadog: unsupported("warn", LATER),
    influxDB2: unsupported("warn", LATER),
    statsD: unsupported("warn", LATER),
    otlp: unsupported("warn", LATER),
  }).prefault({}),
  ping: section({
    ...onAdmin,
    manualRouting: unsupported("warn", LATER),
    terminatingStatusCode: unsupported("warn", "is always 503"),
  }).optional(),
  /** What services use that name no serversTransport. */
  tcpServersTransport: transport.optional(),
  workers: z
    .string()
    .regex(/^(auto|[1-9]\d{0,2})$/i, "must be a number from 1 to 999, or auto")
    .default("auto"),
  limits: section({
    /** Per worker. The default is what the descriptor limit allows: (limit - 200) / 2. */
    maxConnections: positive(10_000_000).optional(),
    /** Bytes that one connection may hold for a receiver that does not read. */
    heldBytesPerConnection: positive(1 << 30).default(512 * 1024),
    /** Bytes that all connections of a worker may hold together; over that the largest stalled one is cut. */
    heldBytesPerWorker: positive(2 ** 40).default(256 * 1024 * 1024),
  }).prefault({}),
  embeddedBroker: section({ address: address.default("127.0.0.1:1883") }).optional(),
  developmentCertificate: section({
    directory: z.string().min(1).default("data"),
    names: z.array(z.string().min(1)).min(1).default(["localhost", "127.0.0.1", "::1"]),
  }).optional(),
  sidecar: sidecar.optional(),
  certificatesResolvers: z
    .record(
      z.string(),
      z.object({
        acme: section(acme.shape).optional(),
        tailscale: unsupported("warn", LATER),
      }),
    )
    .default({}),
  ...Object.fromEntries(
    [
      "api",
      "global",
      "serversTransport",
      "tracing",
      "hostResolver",
      "experimental",
      "core",
      "spiffe",
      "ocsp",
      "pilot",
    ].map((name) => [name, unsupported("warn", LATER)]),
  ),
  // A file may hold both configurations; the other half is not read here.
  tcp: z.unknown().optional(),
  tls: z.unknown().optional(),
  udp: z.unknown().optional(),
  http: z.unknown().optional(),
});

export type StaticValue = z.output<typeof staticSchema>;

export interface StaticConfig extends Omit<StaticValue, "entryPoints" | "workers"> {
  /** The file, or what stands for it where there is none. */
  readonly file: string;
  /** Where a path of it stands. */
  at(...path: Path): Place;
  /** The same, or null for a default. */
  from(...path: Path): Place | null;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  readonly workers: number | "auto";
  /** As the schema gives it, to be printed. */
  readonly value: StaticValue;
}

/** What is put over the file: first the environment, then flags. */
export interface Overrides {
  readonly environment: Environment;
  readonly flags: readonly Flag[];
}

const NONE: Overrides = { environment: {}, flags: [] };

/** The root keys of a static file, which a dynamic file may carry too. */
export const STATIC_ROOT_KEYS: readonly string[] = Object.keys(staticSchema.shape);

/** Whether a flag of the static configuration takes the argument that follows it. */
export function flagTakesValue(flag: Flag): boolean {
  return takesValue(staticSchema, flag);
}

/** Where the entry point "traefik" is when it is used and not defined. */
export const DEFAULT_ADMIN = "127.0.0.1:8080";
const DEFAULT_MQTTS = ":8883";

/** Decodes a static file's text and what is put over it. Every problem goes to `diagnostics`; null when one of them is an error. */
export function parseStatic(
  file: string,
  text: string,
  diagnostics: Diagnostics,
  overrides: Overrides = NONE,
): StaticConfig | null {
  const source = readSource(file, text, diagnostics);
  if (source === null) return null;
  applyVariables(staticSchema, source, overrides.environment, diagnostics);
  applyFlags(staticSchema, source, overrides.flags, diagnostics);
  let decoded = decode(staticSchema, source, diagnostics);
  // What follows from a wrong value is not worth a second message.
  if (decoded === null || diagnostics.errors > 0) return null;
  if (addImplied(source, decoded.value)) decoded = decode(staticSchema, source, diagnostics)!;
  for (const lack of decoded.unsupported) {
    const message = `${lack.path.join(".")} ${lack.why}`;
    if (lack.effect === "warn") diagnostics.warn(lack.place, message);
    else diagnostics.error(lack.place, message);
  }
  const { entryPoints, workers, ...rest } = decoded.value;
  const problem = (path: Path, message: string) => diagnostics.error(source.locate(path), message);

  if (rest.log.format === "json" && rest.log.level === "panic") rest.log.level = "fatal";
  const { admins, challenges } = adminsOf(rest);
  const points = new Map<string, EntryPointConfig>();
  for (const [name, point] of Object.entries(entryPoints))
    points.set(name, toEntryPoint(name, point, admins.has(name)));
  for (const name of admins) {
    if (points.has(name) || challenges.has(name)) continue;
    const path =
      rest.metrics.prometheus?.entryPoint === name ? ["metrics", "prometheus", "entryPoint"] : ["ping", "entryPoint"];
    problem(
      path,
      `the entry point "${name}" does not exist: define it under entryPoints, or leave the field out to use 127.0.0.1:8080`,
    );
  }
  if (![...points.values()].some((point) => !point.admin)) {
    problem(["entryPoints"], 'no entry point for MQTT: add for example  entryPoints: { mqtts: { address: ":8883" } }');
  }
  for (const [name, { acme }] of Object.entries(rest.certificatesResolvers))
    if (acme !== undefined)
      checkResolver(name, acme, points, problem, (path, message) => diagnostics.warn(source.locate(path), message));
  checkOverlaps([...points.values()], rest.embeddedBroker?.address, problem);
  checkSidecar(rest, problem);
  const files = rest.providers.file;
  if (files !== undefined && files.directory === undefined && files.filename === undefined) {
    problem(["providers", "file"], "providers.file needs a directory or a filename");
  }
  if (files?.directory !== undefined && files.filename !== undefined)
    diagnostics.warn(
      source.locate(["providers", "file", "filename"]),
      "providers.file.filename is not read: the directory wins, as in Traefik",
    );
  if (diagnostics.errors > 0) return null;
  return {
    ...rest,
    file,
    at: (...path) => source.locate(path),
    from: (...path) => source.find(path),
    entryPoints: points,
    workers: workers.toLowerCase() === "auto" ? "auto" : Number(workers),
    value: decoded.value,
  };
}

/** The entry points that serve HTTP from the master; those for challenges alone also by themselves. */
function adminsOf({ metrics, ping, certificatesResolvers }: Omit<StaticValue, "entryPoints" | "workers">) {
  const challenges = new Set(
    Object.values(certificatesResolvers).flatMap(({ acme }) => acme?.httpChallenge?.entryPoint ?? []),
  );
  const admins = new Set([...challenges, metrics.prometheus?.entryPoint, ping?.entryPoint]);
  admins.delete(undefined);
  return { admins: admins as ReadonlySet<string>, challenges };
}

/** Puts into `source` what follows from the rest: an entry point that is used without being defined. @returns whether there was any. */
function addImplied(source: SourceFile, value: StaticValue): boolean {
  const { admins } = adminsOf(value);
  const names = Object.keys(value.entryPoints);
  const add = (name: string, address: string, ...because: Path) =>
    source.set(["entryPoints", name, "address"], address, source.locate(because));
  const admin = admins.has("traefik") && !names.includes("traefik");
  if (admin) {
    const asks = value.metrics.prometheus?.entryPoint === "traefik" ? ["metrics", "prometheus"] : ["ping"];
    add("traefik", DEFAULT_ADMIN, ...asks);
  }
  const mqtts = value.sidecar !== undefined && names.every((name) => admins.has(name));
  if (mqtts) add("mqtts", DEFAULT_MQTTS, "sidecar", "address");
  return admin || mqtts;
}

function checkSidecar(
  { sidecar, developmentCertificate }: Pick<StaticValue, "sidecar" | "developmentCertificate">,
  problem: (path: Path, message: string) => void,
): void {
  if (sidecar === undefined) return;
  const { certFile, keyFile, certDirectory } = sidecar;
  if (certFile === undefined && certDirectory === undefined && developmentCertificate === undefined)
    problem(
      ["sidecar", "address"],
      "the sidecar has no certificate: give sidecar.certFile (and keyFile) or sidecar.certDirectory",
    );
  if (certFile === undefined && keyFile !== undefined)
    problem(["sidecar", "keyFile"], "sidecar.keyFile belongs to a certFile, and there is none");
}
