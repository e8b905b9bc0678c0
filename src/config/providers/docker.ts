// providers.docker, and what providers.swarm has in common with it.

import { z } from "zod";
import { duration, field, section } from "../field.ts";
import type { Say } from "../subject.ts";
import { checkClientTls, clientTls } from "./client-tls.ts";
import { parseConstraints } from "./constraints.ts";
import { parseTemplate } from "./default-rule.ts";
import { parseDockerEndpoint } from "./docker-endpoint.ts";

const SOCKET = "unix:///var/run/docker.sock";

/** `of` is what has labels: containers, or services. */
export const daemonFields = (of: "container" | "service", prefix: "docker" | "swarm") => ({
  endpoint: field(
    "The daemon: `unix:///path/of/docker.sock`, or `tcp://host:port`, which is TLS where `tls` is given. What the socket's rights mean: [Rights](docker.md#what-the-socket-means).",
    z.string().min(1).default(SOCKET),
    { example: "tcp://socket-proxy:2375" },
  ),
  username: field("The user for a socket proxy that asks for one (HTTP Basic).", z.string().min(1).optional(), {
    otherwise: "none",
    example: "sluice",
  }),
  password: field("The user's password.", z.string().optional(), {
    secret: true,
    otherwise: "none",
    example: "correct horse",
  }),
  tls: field("TLS towards a daemon at `tcp://`.", clientTls.optional(), { otherwise: "absent", nothingIsWrong: true }),
  httpClientTimeout: field(
    "How long the daemon may take for an answer. `0`: for ever. The stream of events is none.",
    duration(0, "must not be negative").default(30_000),
    { example: "10s" },
  ),
  exposedByDefault: field(
    `Look at every ${of} with labels for TCP. With \`false\` only at those with the label \`sluice.enable=true\` (or \`traefik.enable=true\`).`,
    z.boolean().default(true),
    { example: false, nothingIsWrong: true },
  ),
  network: field(
    `The network in which ${of}s are reached, unless the label \`sluice.${prefix}.network\` names another.`,
    z.string().min(1).optional(),
    { otherwise: "one that Sluice is in too, the first by name", example: "brokers" },
  ),
  defaultRule: field(
    `The rule of routers that have none, and of the router that an enabled ${of} without any gets: a [template](docker.md#a-rule-for-all).`,
    z.string().min(1).optional(),
    { otherwise: "none", example: "HostSNI(`{{ normalize .Name }}.example.com`)" },
  ),
  constraints: field(
    `Which ${of}s count, by their labels: \`Label\` and \`LabelRegex\` with \`&&\`, \`||\`, \`!\` and parentheses.`,
    z.string().default(""),
    { otherwise: "all", example: "Label(`edge`, `mqtt`)", nothingIsWrong: true },
  ),
});

const fields = section({
  ...daemonFields("container", "docker"),
  watch: field(
    "Follow what containers do. With `false` they are read at the start and at SIGHUP.",
    z.boolean().default(true),
    {
      example: false,
    },
  ),
  allowEmptyServices: field(
    "Keep the routers of containers that are starting or unhealthy. Their clients are then refused as those of a service without servers.",
    z.boolean().default(false),
    { example: true },
  ),
  useBindPortIP: field(
    "Dial the address and port of the host on which a container's port is published, where it is published on one address.",
    z.boolean().default(false),
    { example: true },
  ),
});

export const docker = field(
  "Routes from the labels of Docker's and Podman's containers: see [Docker](docker.md). `{}` has the defaults of all fields.",
  fields.optional(),
  { otherwise: "none" },
);

export type DockerConfig = z.output<typeof fields>;

type Common = Pick<DockerConfig, "username" | "password" | "tls" | "endpoint" | "constraints" | "defaultRule">;

/** Says what cannot be read, and what does not go together. */
export function checkDaemon(name: "docker" | "swarm", config: Common | undefined, problem: Say, warn: Say): void {
  if (config === undefined) return;
  const { username, password, tls, endpoint, constraints, defaultRule } = config;
  const wrong = (field: string, message: string) =>
    problem("field-value", ["providers", name, field], `providers.${name}.${field} ${message}`);
  const where = parseDockerEndpoint(endpoint);
  if (where.kind === "error") wrong("endpoint", where.message);
  const which = parseConstraints(constraints);
  if (which.kind === "error") wrong("constraints", `cannot be read, column ${which.column}: ${which.message}`);
  const rule = defaultRule === undefined ? null : parseTemplate(defaultRule);
  if (rule?.kind === "error") wrong("defaultRule", `is no template: ${rule.message}`);
  checkClientTls(tls, ["providers", name, "tls"], problem);
  if ((username === undefined) !== (password === undefined)) {
    const [given, missing] = username === undefined ? ["password", "username"] : ["username", "password"];
    problem("fields-conflict", ["providers", name, given!], `providers.${name}.${given} needs ${missing} beside it`);
  }
  if (tls !== undefined && /^(?:unix|http):/i.test(endpoint))
    warn(
      "fields-conflict",
      ["providers", name, "tls"],
      `providers.${name}.tls has no effect: the endpoint is ${endpoint.replace(/^(\w+).*/s, "$1")}://, which has no TLS`,
    );
}
