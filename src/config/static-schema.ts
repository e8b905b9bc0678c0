// The schema of the static configuration. Traefik's names and defaults where Traefik has them.

import { z } from "zod";
import { accessLog } from "./access-log.ts";
import { acme } from "./acme.ts";
import { admission } from "./admission.ts";
import { api } from "./api.ts";
import { ban } from "./ban.ts";
import { duration, field, LATER, otherHalf, section, unsupported } from "./field.ts";
import { lifeCycle } from "./life-cycle.ts";
import { PRECEDENCE } from "./precedence.ts";
import { consul } from "./providers/consul.ts";
import { docker } from "./providers/docker.ts";
import { etcd } from "./providers/etcd.ts";
import { http } from "./providers/http.ts";
import { redis } from "./providers/redis.ts";
import { swarm } from "./providers/swarm.ts";
import { zooKeeper } from "./providers/zoo-keeper.ts";
import { proxyProtocolIn } from "./proxy-protocol.ts";
import { parseHostPort } from "./scalars.ts";
import { sidecar } from "./sidecar.ts";
import { transport } from "./transport.ts";
import { SELECTIONS } from "./worker-selection.ts";

const address = z.string().superRefine((value, context) => {
  const parsed = parseHostPort(value);
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
    "What connections of this entry point may take their time for.",
    section({
      respondingTimeouts: field(
        "Until a client is routed.",
        section({
          readTimeout: field(
            "How long a client may take for its ClientHello, and then again for the rest of the TLS handshake. Must be longer than 0.",
            duration(1, "must be longer than 0, or a silent client could hold a connection for ever").default(10_000),
            { example: "5s" },
          ),
          connectTimeout: field(
            "How long a client that has been let in may leave its server without a request: its TLS is done, or it is passed through and the server waits for the rest of its handshake. Where the server speaks first, or a middleware reads CONNECT (`mqttConnect.timeout`), it does not count. `0`: for ever. See [Silence](protection.md#silence).",
            duration(0, "must not be negative").default(60_000),
            { example: "20s" },
          ),
          writeTimeout: unsupported("warn", "is bounded by readTimeout here"),
          idleTimeout: unsupported("warn", "has no effect on TCP in Traefik either"),
        }).prefault({}),
      ),
      lifeCycle: field(
        "When Sluice stops.",
        section({
          graceTimeOut: field(
            "How long open connections may go on after SIGTERM. With several entry points, the longest of them counts for all. `0` closes at once.",
            duration(0).default(10_000),
            { example: "1m" },
          ),
          requestAcceptGraceTimeout: field(
            "How long after SIGTERM clients are still accepted, while `/ping` says 503 already: so a balancer sends nobody here any more when the port closes. Then `graceTimeOut` begins. With several entry points, the longest of them counts for all.",
            duration(0).default(0),
            { otherwise: "`0s`: the port closes at once", example: "15s" },
          ),
          spread: field(
            "Closes the connections of this entry point one after another over `graceTimeOut`, instead of all that are left at its end. So their clients do not all come to another Sluice at the same time.",
            z.boolean().default(false),
            { example: true },
          ),
        }).prefault({}),
      ),
      keepAlive: field(
        "How long a client may be unreachable before its connection is closed: it answers no TCP keep-alive probe, or takes nothing of what is sent to it. `0`: for ever. Less than 2s is taken for 2s.",
        duration(0, "must not be negative").default(120_000),
        { example: "5m" },
      ),
      keepAliveMaxTime: unsupported("warn", "is for HTTP"),
      keepAliveMaxRequests: unsupported("warn", "is for HTTP"),
    }).prefault({}),
  ),
  backlog: field(
    "How many connections may wait until a worker accepts them, of each worker. With more, the kernel drops them, and their clients try again after 1 s. The system's `net.core.somaxconn` is the most that it gives; Sluice warns at start where that is less.",
    z.number().int().min(1).max(65_535).default(4096),
    { unit: "connections", example: 16_384 },
  ),
  workerSelection: field(
    "Which worker a connection comes to. `connection`: any, evenly. `address`: all of one client address, IPv6 by /64, come to one worker, also after it was replaced, so that they find the TLS sessions there which they want to resume. See [Resumption](operations.md#resumption).",
    z.enum(SELECTIONS).default("connection"),
    { example: "address" },
  ),
  reusePort: unsupported("warn", "is always on between Sluice's own workers, and refused between two Sluices"),
  proxyProtocol: field(
    "Read the PROXY protocol header, version 1 or 2, that a load balancer puts before each connection: see [Behind a load balancer](configuration.md#behind-a-load-balancer).",
    proxyProtocolIn.optional(),
    {
      otherwise: "absent: a connection that begins with such a header is closed, except where all routers are plain",
      nothingIsEmpty: true,
    },
  ),
  ban: field(
    "Refuse addresses that fail too often, for a while: see [Bans](protection.md#bans). Behind a load balancer with `proxyProtocol` the client's address counts.",
    ban.optional(),
    { otherwise: "off: devices behind one address would be banned together", nothingIsEmpty: true },
  ),
  admission: field(
    "How many connections and handshakes may come, and how fast: see [Admission](protection.md#admission).",
    admission.prefault({}),
    { nothingIsEmpty: true },
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

export const staticSchema = z.object({
  entryPoints: field(
    "Where Sluice listens, by a name of your choice. At least one for MQTT is required. An entry point that `metrics.prometheus`, `ping` or a resolver's `httpChallenge` uses serves HTTP, and no routers.",
    z.record(z.string(), entryPoint).default({}),
  ),
  providers: field(
    "Where the dynamic configuration comes from.",
    section({
      file: field(
        "Files. It needs `directory` or `filename`. Without it and without `sidecar` there are no routers, and Sluice warns about that.",
        section({
          filename: field(
            "Reads one file. If both are given, `directory` wins, and Sluice warns about it.",
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
          poll: field(
            "Look at the files this often, and at the certificates that they name: for file systems that send no events, such as NFS, SMB and some mounts of containers. Sluice warns where it seems to be needed. At least `100ms`.",
            duration(100, "must be at least 100ms").optional(),
            { otherwise: "off: the system tells of changes", example: "5s" },
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
      cache: field(
        "A directory in which Sluice keeps what the other providers gave last, a file for each, with mode 0600. A start while Redis, Docker or the like is away then serves that: see [Away](providers.md#away).",
        z.string().min(1).optional(),
        {
          kind: "directory",
          otherwise: "nothing is kept: after a restart there is nothing of a provider that is away",
          example: "/var/lib/sluice/providers",
        },
      ),
      precedence: field(
        "Of routers with equal priority, that of the provider that stands first here goes first. Providers that are not in the list come last, `internal` (the sidecar) always.",
        z.array(z.enum(PRECEDENCE)).default([...PRECEDENCE]),
        { otherwise: `\`${PRECEDENCE.join(", ")}\``, example: ["docker", "file"] },
      ),
      docker,
      swarm,
      redis,
      etcd,
      consul,
      zooKeeper,
      http,
      ...Object.fromEntries(
        [
          "kubernetesIngress",
          "kubernetesCRD",
          "kubernetesGateway",
          "knative",
          "consulCatalog",
          "nomad",
          "ecs",
          "rest",
          "plugin",
        ].map((name) => [name, unsupported("warn", LATER)]),
      ),
    }).prefault({}),
  ),
  log: field(
    "The log.",
    section({
      level: field(
        "The least level that is logged. `panic` is taken for `fatal`.",
        z.enum(["trace", "debug", "info", "warn", "error", "fatal", "panic"]).default("info"),
        { example: "debug" },
      ),
      format: field("`common` is for people, `json` for collectors.", logFormat.optional(), {
        otherwise: "`common` on a terminal, else `json`, in a file too",
        example: "json",
      }),
      noColor: unsupported("warn", LATER),
      filePath: field(
        "A file to append to, instead of standard output. It is opened again on SIGUSR1: see [Log files](operations.md#log-files).",
        z.string().min(1).optional(),
        { kind: "file", otherwise: "standard output", example: "/var/log/sluice/sluice.log" },
      ),
      maxSize: unsupported("warn", "is for others to do, such as logrotate: after SIGUSR1 the file is opened again"),
      maxAge: unsupported("warn", "is for others to do, such as logrotate: after SIGUSR1 the file is opened again"),
      maxBackups: unsupported("warn", "is for others to do, such as logrotate: after SIGUSR1 the file is opened again"),
      compress: unsupported("warn", "is for others to do, such as logrotate: after SIGUSR1 the file is opened again"),
      otlp: unsupported("warn", LATER),
    }).prefault({}),
  ),
  accessLog: field(
    "One line per connection when it ends: see [Logs](operations.md#logs). It does not depend on `log.level`.",
    accessLog.optional(),
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
  api: field(
    "The operator's view and hand: what is going on and what can be done about it, as HTTP and JSON. See [The API](api.md).",
    api.optional(),
    { otherwise: "off" },
  ),
  tcpServersTransport: field(
    "How brokers are dialled for services that name no `serversTransport`.",
    transport.optional(),
    { otherwise: "the defaults of its fields" },
  ),
  lifeCycle: field(
    "What an [upgrade](operations.md#upgrade), or a change of the static configuration, does with the processes that served before.",
    section(lifeCycle.shape).prefault({}),
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
        "The most connections of one worker. Further ones are closed at once. To set more than the default, raise the descriptor limit (`ulimit -n`) first.",
        positive(10_000_000).optional(),
        { unit: "connections per worker", otherwise: "(descriptor limit - 200) / 2", example: 10_000 },
      ),
      heldBytesPerConnection: field(
        "The bytes that one direction of a connection may hold for a receiver that does not read, or for a client that waits to be let in. With more, the connection is cut. The client is stopped before that, but what has been read already is up to 512 KiB: with less than the default, one that sends much at once can be cut.",
        positive(1 << 30).default(1024 * 1024),
        { unit: "bytes", otherwise: "1048576 (1 MiB)", example: 2_097_152 },
      ),
      heldBytesPerWorker: field(
        "The bytes that all connections of a worker may hold together. With more, the connection that holds most is cut.",
        positive(2 ** 40).default(256 * 1024 * 1024),
        { unit: "bytes", otherwise: "268435456 (256 MiB)", example: 536_870_912 },
      ),
      helloBytesPerWorker: field(
        "What ClientHellos that have not come whole may hold together in a worker. Over it the client is closed whose hello holds most.",
        positive(2 ** 40).default(16 * 1024 * 1024),
        { unit: "bytes", otherwise: "16777216 (16 MiB)", example: 67_108_864 },
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
    "Obtain certificates and renew them. Each resolver has a name of your choice, which routers give in `tls.certResolver`. A guide from the beginning: [Certificates that come by themselves](guides/acme.md).",
    z
      .record(
        z.string(),
        z.object({
          acme: field(
            "An ACME authority, such as Let's Encrypt. At least one challenge is required. Of several, Sluice tries the first that the authority offers, in the order tls, http, dns, and if it fails the next.",
            section(acme.shape).optional(),
            { otherwise: "none" },
          ),
          tailscale: unsupported("warn", LATER),
        }),
      )
      .default({}),
  ),
  ...Object.fromEntries(
    ["global", "serversTransport", "tracing", "hostResolver", "experimental", "core", "spiffe", "ocsp", "pilot"].map(
      (name) => [name, unsupported("warn", LATER)],
    ),
  ),
  // A file may hold both configurations; the other half is not read here.
  tcp: otherHalf("dynamic"),
  tls: otherHalf("dynamic"),
  udp: otherHalf("dynamic"),
  http: otherHalf("dynamic"),
});

export type StaticValue = z.output<typeof staticSchema>;

/** The root keys of a static file, which a dynamic file may carry too. */
export const STATIC_ROOT_KEYS: readonly string[] = Object.keys(staticSchema.shape);
