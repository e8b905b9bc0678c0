// api: the operator's view and hand, on an HTTP entry point and on a Unix socket. Off unless it is asked for.

import { z } from "zod";
import { readHash } from "../mqtt/password-hash.ts";
import { type EntryPointConfig, isLoopback } from "./entry-points.ts";
import { field, section, unsupported } from "./field.ts";
import type { Say } from "./subject.ts";
import { parseUnixSocket } from "./unix-socket.ts";

/** What one may do: look; act on clients and servers; change what Sluice itself does. Each may what the one before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

const role = z.enum(ROLES).default("viewer");
const ROLE =
  "`viewer` looks. `operator` also closes connections, drains servers and bans addresses. `admin` also reloads, renews certificates, and changes what is logged.";

export const api = section({
  entryPoint: field(
    "The entry point that serves it. If `traefik` is not defined under `entryPoints`, it is 127.0.0.1:8080. On an address that is not loopback Sluice does not start without `users`, `usersFile` or `tokens`.",
    z.string().default("traefik"),
    { example: "admin" },
  ),
  basePath: field(
    "Stands before `/api` and `/dashboard`, for a reverse proxy that serves them under a path of its own.",
    z
      .string()
      .regex(/^\/([\w.~-]+\/?)*$/, "must be a path such as /sluice")
      .default("/"),
    { example: "/sluice" },
  ),
  dashboard: field("Serves the dashboard at `/dashboard/`.", z.boolean().default(false), { example: true }),
  socket: field(
    "A Unix socket that serves the same, for `sluice top` and the other commands. It has mode 0600, and whoever can open it is `admin`.",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "none", example: "/run/sluice/api.sock" },
  ),
  hosts: field(
    "Names that Sluice is reached by. A request with another name in its Host header is refused, because a web page of a stranger could have made it (DNS rebinding). `localhost` and addresses need no entry.",
    z.array(z.string().min(1)).default([]),
    { example: ["sluice.example.org"] },
  ),
  anonymous: field(
    "What everybody may who shows neither a password nor a token. Anything but `none` needs a loopback address.",
    z.enum(["none", ...ROLES]).optional(),
    { otherwise: "`none` where there are users or tokens, else `viewer`", example: "none" },
  ),
  users: field(
    "Who comes in by name and password (HTTP Basic). Each has a name of your choice.",
    z
      .record(
        z.string(),
        z.object({
          password: field(
            "The hash of the password, as `mosquitto_passwd` or `htpasswd -B` writes it behind the colon.",
            z.string().min(1),
            { secret: true, otherwise: "required", example: "$2y$05$..." },
          ),
          role: field(ROLE, role, { example: "operator" }),
        }),
      )
      .default({}),
  ),
  usersFile: field(
    "A file of users, a line each, as `mosquitto_passwd` or `htpasswd -B` writes it. It is read again when it changes; a line that cannot be used costs that user alone, and while the file cannot be read its former users stay.",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "none", example: "/etc/sluice/users" },
  ),
  usersFileRole: field(`What the users of \`usersFile\` may. ${ROLE}`, role, { example: "operator" }),
  tokens: field(
    "What comes in by a bearer token, for scripts and widgets. Each has a name of your choice.",
    z
      .record(
        z.string(),
        z.object({
          sha256: field(
            "The SHA-256 of the token, in hexadecimal: `sluice token` makes a token and its hash.",
            z.string().regex(/^[\da-fA-F]{64}$/, "must be 64 hexadecimal digits, the SHA-256 of the token"),
            { otherwise: "required", example: "c3276fe71be74ccc33c39cee4384e09d41bba997a77c42abdd6e2458bf146ca4" },
          ),
          role: field(ROLE, role, { example: "viewer" }),
        }),
      )
      .default({}),
  ),
  insecure: unsupported(
    "warn",
    "has no meaning here: `api: {}` serves on 127.0.0.1:8080, and on any other address it needs users",
  ),
  debug: unsupported("warn", "serves Go's profiler in Traefik, which Sluice does not have"),
  disableDashboardAd: unsupported("warn", "has no meaning here: there is no advertisement"),
  dashboardName: unsupported("warn", "has no effect here"),
});

export type ApiConfig = z.output<typeof api>;

/** A name as it stands in a Host header, without a port. */
const HOST = /^[\w-]+(\.[\w-]+)*$/;

/** Whether anybody can show who he is. */
function hasUsers({ users, usersFile, tokens }: ApiConfig): boolean {
  return usersFile !== undefined || Object.keys(users).length > 0 || Object.keys(tokens).length > 0;
}

/** What everybody may; null: nothing. */
export function anonymousRole(config: ApiConfig): Role | null {
  const { anonymous = hasUsers(config) ? "none" : "viewer" } = config;
  return anonymous === "none" ? null : anonymous;
}

/** What is wrong with it. A hash that cannot be used is an error and not a user less: nobody should find out at night. */
export function checkApi(
  config: ApiConfig | undefined,
  points: ReadonlyMap<string, EntryPointConfig>,
  problem: Say,
): void {
  if (config === undefined) return;
  const point = points.get(config.entryPoint);
  if (point !== undefined && !isLoopback(point.host) && anonymousRole(config) !== null) {
    const path = config.anonymous === undefined ? ["api"] : ["api", "anonymous"];
    const remedy =
      config.anonymous === undefined
        ? "give api.users, api.usersFile or api.tokens, or an entry point on 127.0.0.1"
        : "write none, or give an entry point on 127.0.0.1";
    problem(
      "api-open",
      path,
      `the API would be open to everybody who reaches the entry point "${config.entryPoint}" (${point.address}): ${remedy}`,
    );
  }
  for (const [name, { password }] of Object.entries(config.users)) {
    const path = ["api", "users", name, "password"];
    if (!/^[^:\p{Cc}]+$/u.test(name))
      problem(
        "field-value",
        ["api", "users", name],
        `a user's name is not empty and has no colon and no control character in it`,
      );
    const why = whyNoHash(password);
    if (why !== null) problem("field-value", path, `${path.join(".")} cannot be used: ${why}`);
  }
  for (const [index, name] of config.hosts.entries())
    if (!HOST.test(name))
      problem(
        "field-value",
        ["api", "hosts", index],
        `api.hosts has ${JSON.stringify(name.slice(0, 60))}, which is no host name: write it without a port`,
      );
  if (config.socket !== undefined) {
    const parsed = config.socket.startsWith("/") ? parseUnixSocket(`unix://${config.socket}`) : null;
    if (parsed?.kind === "error") problem("field-value", ["api", "socket"], `api.socket: ${parsed.message}`);
  }
}

/** bcrypt, with a cost of at most 14: a second of a core. */
const BCRYPT = /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z\d]{53}$/;

/** Why a hash cannot be used, in words for the operator; null: it can. */
export function whyNoHash(text: string): string | null {
  if (/^\$2[aby]\$/.test(text))
    return BCRYPT.test(text) ? null : "its bcrypt hash is not whole, or has a cost that is not from 04 to 14";
  if (/^\$apr1\$|^\{SHA\}/.test(text)) return "it is hashed with MD5 or SHA-1, which are too weak: use htpasswd -B";
  const read = readHash(text);
  return read.kind === "ok"
    ? null
    : read.message.replace(": hash it with mosquitto_passwd", ": hash it with htpasswd -B or mosquitto_passwd");
}
