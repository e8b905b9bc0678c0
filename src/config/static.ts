// The static configuration: what is fixed while Sluice runs. Traefik's names and defaults where Traefik has them.

import { z } from "zod";
import { acme, checkResolver } from "./acme.ts";
import { decode, duration, type FieldMeta, field, otherHalf, section, unsupported } from "./decode.ts";
import { type Diagnostics, type Place, suggestion } from "./diagnostics.ts";
import { checkOverlaps, type EntryPointConfig, EVERYWHERE, toEntryPoint } from "./entry-points.ts";
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
  address: field("Where to listen. `:8883` listens on every address, IPv6 and IPv4.", address, {
    kind: "address",
    example: ":8883",
  }),
  asDefault: field(
    "Routers that name no entry point are on all entry points, or, if any has `asDefault: true`, on those alone.",
    z.boolean().default(false),
    { example: true },
  ),
  transport: field(
    "The deadlines of this entry point.",
    section({
      respondingTimeouts: field(
        "Until a client is routed.",
        section({
          readTimeout: field(
            "How long a client may take for its ClientHello, and then again for the rest of the TLS handshake. Must be longer than 0.",
            duration(1, "must be longer than 0, or a silent client could hold a connection for ever").default(10_000),
            { example: "5s" },
          ),
          writeTimeout: unsupported("warn", "is bounded by readTimeout here"),
          idleTimeout: unsupported("warn", "has no effect on TCP in Traefik either"),
        }).prefault({}),
      ),
      lifeCycle: field(
        "When Sluice stops.",
        section({
          graceTimeOut: field(
            "How long open connections may go on after SIGTERM. Of several entry points the longest counts, for all. `0` closes at once.",
            duration(0).default(10_000),
            { example: "1m" },
          ),
          requestAcceptGraceTimeout: unsupported("warn", LATER),
        }).prefault({}),
      ),
      keepAliveMaxTime: unsupported("warn", "is for HTTP"),
      keepAliveMaxRequests: unsupported("warn", "is for HTTP"),
    }).prefault({}),
  ),
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

const onAdmin = {
  entryPoint: field(
    "The entry point that serves it. If `traefik` is not defined under `entryPoints`, it is 127.0.0.1:8080.",
    z.string().default("traefik"),
    { example: "admin" },
  ),
};

const logFormat = z.enum(["common", "json"]);

const word = z.string().min(1);

/** A port alone has no host. */
const brokerAddress = (text: string) => parseAddress(parsePort(text) === null ? text : `:${text}`);

/** Everything that a proxy beside one broker needs, in one section. */
const sidecar = z
  .object({
    address: field(
      "The broker: `host:port`, or a port on 127.0.0.1. A section that is only a text stands for this field.",
      z.string().superRefine((value, context) => {
        const parsed = brokerAddress(value);
        if (parsed.kind === "error") context.addIssue({ code: "custom", message: parsed.message });
        else if (parsed.port === 0) context.addIssue({ code: "custom", message: "needs a port from 1 to 65535" });
      }),
      { kind: "address or port", numbers: [1, 65_535], example: "127.0.0.1:1883" },
    ),
    certFile: field("The certificate that every client is shown, with its chain, in PEM.", word.optional(), {
      kind: "file or content",
      secret: true,
      otherwise: "that of `developmentCertificate`",
      example: "certs/tls.crt",
    }),
    keyFile: field("Its key.", word.optional(), {
      kind: "file or content",
      secret: true,
      otherwise: "looked for in `certFile`",
      example: "certs/tls.key",
    }),
    certDirectory: field(
      "Pairs of certificate and key, whatever they are called; the first is the default one.",
      word.optional(),
      {
        kind: "directory",
        otherwise: "none",
        example: "certs",
      },
    ),
  })
  .meta({ scalarKey: "address" } satisfies FieldMeta);

export const staticSchema = z.object({
  entryPoints: field(
    "Where Sluice listens, by a name of your choice. At least one for MQTT is required. One that `metrics.prometheus`, `ping` or a resolver's `httpChallenge` uses serves HTTP and no routers.",
    z.record(z.string(), entryPoint).default({}),
  ),
  providers: field(
    "Where the dynamic configuration comes from.",
    section({
      file: field(
        "Files. Without it and without `sidecar` there are no routers, and a warning. Needs `directory` or `filename`.",
        section({
          filename: field(
            "Reads one file. If both are given, `directory` wins with a warning.",
            z.string().min(1).optional(),
            {
              kind: "file",
              example: "mqtt.yml",
            },
          ),
          directory: field(
            "Reads every `.yml` and `.yaml` file in it and in its sub-directories, in name order. Names that begin with a dot are skipped.",
            z.string().min(1).optional(),
            { kind: "directory", example: "dynamic" },
          ),
          watch: field(
            "Load again when one of the files, or a certificate that they name, changes. With `false`, only SIGHUP does it.",
            z.boolean().default(true),
            { example: false },
          ),
          debugLogGeneratedTemplate: unsupported("warn", "has no templates to show"),
        }).optional(),
        { otherwise: "none" },
      ),
      providersThrottleDuration: field(
        "After a load, wait at least this long before the next. Changes in between are gathered.",
        duration(0).default(200),
        { example: "2s" },
      ),
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
  ),
  log: field(
    "The log, on standard output.",
    section({
      level: field(
        "The least level that is logged. `panic` is taken for `fatal`.",
        z.enum(["trace", "debug", "info", "warn", "error", "fatal", "panic"]).default("info"),
        { example: "debug" },
      ),
      format: field("`common` is for people, `json` for collectors.", logFormat.optional(), {
        otherwise: "`common` on a terminal, else `json`",
        example: "json",
      }),
      noColor: unsupported("warn", LATER),
      filePath: unsupported("warn", "is ignored: logs go to standard output"),
      maxSize: unsupported("warn", LATER),
      maxAge: unsupported("warn", LATER),
      maxBackups: unsupported("warn", LATER),
      compress: unsupported("warn", LATER),
      otlp: unsupported("warn", LATER),
    }).prefault({}),
  ),
  accessLog: field(
    "One line per connection when it ends, on standard output: see [Logs](operations.md#logs). It does not depend on `log.level`.",
    section({
      filePath: unsupported("warn", "is ignored: access-log lines go to standard output"),
      format: unsupported("warn", "follows log.format here"),
      filters: unsupported("warn", LATER),
      fields: unsupported("warn", LATER),
      bufferingSize: unsupported("warn", LATER),
      addInternals: unsupported("warn", LATER),
      otlp: unsupported("warn", LATER),
    }).optional(),
    { otherwise: "off" },
  ),
  metrics: field(
    "Figures for a monitoring system: see [Metrics](reference/metrics.md).",
    section({
      prometheus: field(
        "Serves `/metrics`. It has no password: do not open it to the world.",
        section({
          ...onAdmin,
          buckets: unsupported("warn", LATER),
          addEntryPointsLabels: unsupported("warn", LATER),
          addRoutersLabels: unsupported("warn", LATER),
          addServicesLabels: unsupported("warn", LATER),
          manualRouting: unsupported("warn", LATER),
          headerLabels: unsupported("warn", "is for HTTP"),
        }).optional(),
        { otherwise: "off" },
      ),
      addInternals: unsupported("warn", LATER),
      datadog: unsupported("warn", LATER),
      influxDB2: unsupported("warn", LATER),
      statsD: unsupported("warn", LATER),
      otlp: unsupported("warn", LATER),
    }).prefault({}),
  ),
  ping: field(
    "Serves `/ping`: `OK`, or status 503 while Sluice is stopping. It has no password: do not open it to the world.",
    section({
      ...onAdmin,
      manualRouting: unsupported("warn", LATER),
      terminatingStatusCode: unsupported("warn", "is always 503"),
    }).optional(),
    { otherwise: "off" },
  ),
  tcpServersTransport: field(
    "How brokers are dialled by services that name no `serversTransport`.",
    transport.optional(),
    { otherwise: "the defaults of its fields" },
  ),
  workers: field(
    "How many processes move the traffic: a number from 1 to 999, or `auto`, the number of cores that this process may use.",
    z
      .string()
      .regex(/^(auto|[1-9]\d{0,2})$/i, "must be a number from 1 to 999, or auto")
      .default("auto"),
    { unit: "processes", numbers: [1, 999], example: 4 },
  ),
  limits: field(
    "What connections may take of the machine.",
    section({
      maxConnections: field(
        "Connections over it are closed at once. More than the default cannot be set: raise the descriptor limit (`ulimit -n`) first.",
        positive(10_000_000).optional(),
        { unit: "connections per worker", otherwise: "(descriptor limit - 200) / 2", example: 10_000 },
      ),
      heldBytesPerConnection: field(
        "What one direction of a connection may hold for a receiver that does not read. Over it the connection is cut.",
        positive(1 << 30).default(512 * 1024),
        { unit: "bytes", otherwise: "524288 (512 KiB)", example: 1_048_576 },
      ),
      heldBytesPerWorker: field(
        "What all connections of a worker may hold together. Over it the one that holds most is cut.",
        positive(2 ** 40).default(256 * 1024 * 1024),
        { unit: "bytes", otherwise: "268435456 (256 MiB)", example: 536_870_912 },
      ),
    }).prefault({}),
  ),
  embeddedBroker: field(
    "Starts a broker for trying Sluice out, in a process of its own. It speaks MQTT 3.1 and 3.1.1, admits everyone, and keeps nothing over a restart.",
    section({
      address: field(
        "Where it listens. Without a host it listens on 127.0.0.1 alone.",
        address.default("127.0.0.1:1883"),
        { kind: "address", example: ":1884" },
      ),
    }).optional(),
    { otherwise: "off" },
  ),
  developmentCertificate: field(
    "Makes a certificate for trying Sluice out, at start, with an authority of its own.",
    section({
      directory: field(
        "Where `ca.crt`, `ca.key`, `localhost.crt` and `localhost.key` are made, unless they are there and good. Keys have mode 0600.",
        z.string().min(1).default("data"),
        { kind: "directory", example: "/var/lib/sluice" },
      ),
      names: field(
        "What the certificate is for. It is issued again when a name is missing from it or when fewer than 30 days are left; the authority is kept.",
        z.array(z.string().min(1)).min(1).default(["localhost", "127.0.0.1", "::1"]),
        { example: ["localhost", "broker.test"] },
      ),
    }).optional(),
    { otherwise: "off" },
  ),
  sidecar: field(
    "One broker and one certificate, for everyone: [what it stands for](guides/sidecar.md#what-it-stands-for).",
    sidecar.optional(),
    { otherwise: "off" },
  ),
  certificatesResolvers: field(
    "Obtain certificates and renew them, by a name of your choice, which routers name in `tls.certResolver`. A guide from the beginning: [Certificates that come by themselves](guides/acme.md).",
    z
      .record(
        z.string(),
        z.object({
          acme: field(
            "An ACME authority, such as Let's Encrypt. At least one challenge is required. Of several the first that the authority offers is tried, in the order tls, http, dns, and the next one if it fails.",
            section(acme.shape).optional(),
            { otherwise: "none" },
          ),
          tailscale: unsupported("warn", LATER),
        }),
      )
      .default({}),
  ),
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
  tcp: otherHalf("dynamic"),
  tls: otherHalf("dynamic"),
  udp: otherHalf("dynamic"),
  http: otherHalf("dynamic"),
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
      `the entry point "${name}" does not exist${suggestion(name, points.keys())}: define it under entryPoints, or leave the field out to use 127.0.0.1:8080`,
    );
  }
  if (![...points.values()].some((point) => !point.admin)) {
    problem(["entryPoints"], 'no entry point for MQTT: add for example  entryPoints: { mqtts: { address: ":8883" } }');
  }
  for (const [name, { acme }] of Object.entries(rest.certificatesResolvers))
    if (acme !== undefined)
      checkResolver(name, acme, points, problem, (path, message) => diagnostics.warn(source.locate(path), message));
  checkOverlaps([...points.values()], rest.embeddedBroker?.address, problem);
  checkSidecar(rest, points.values(), problem);
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
  // Not over one whose name differs in case, which is probably meant.
  const taken = (name: string) => names.some((each) => each.toLowerCase() === name);
  const admin = admins.has("traefik") && !taken("traefik");
  if (admin) {
    const asks = value.metrics.prometheus?.entryPoint === "traefik" ? ["metrics", "prometheus"] : ["ping"];
    add("traefik", DEFAULT_ADMIN, ...asks);
  }
  const mqtts = value.sidecar !== undefined && names.every((name) => admins.has(name)) && !taken("mqtts");
  if (mqtts) add("mqtts", DEFAULT_MQTTS, "sidecar", "address");
  return admin || mqtts;
}

function isLoopback(host: string): boolean {
  return /^(|localhost|127\..*|::1)$/i.test(host);
}

function checkSidecar(
  { sidecar, developmentCertificate }: Pick<StaticValue, "sidecar" | "developmentCertificate">,
  points: Iterable<EntryPointConfig>,
  problem: (path: Path, message: string) => void,
): void {
  if (sidecar === undefined) return;
  const { certFile, keyFile, certDirectory } = sidecar;
  const broker = brokerAddress(sidecar.address);
  if (broker.kind === "ok" && isLoopback(broker.host))
    for (const { name, host, port } of points)
      if (port === broker.port && (EVERYWHERE.includes(host) || host === (broker.host || "127.0.0.1")))
        problem(["sidecar", "address"], `sidecar.address is the broker's, and there listens the entry point "${name}"`);
  if (certFile === undefined && certDirectory === undefined && developmentCertificate === undefined)
    problem(
      ["sidecar", "address"],
      "the sidecar has no certificate: give sidecar.certFile (and keyFile) or sidecar.certDirectory",
    );
  if (certFile === undefined && keyFile !== undefined)
    problem(["sidecar", "keyFile"], "sidecar.keyFile belongs to a certFile, and there is none");
}
