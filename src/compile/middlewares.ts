// Middlewares of the configuration as rows.

import type { CertificateFiles } from "../certs/files.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { MiddlewareConfig } from "../config/middlewares.ts";
import { bareName } from "../config/names.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import { compileMqttIdentity } from "./identity.ts";
import { NetworkFiles } from "./ip-lists.ts";
import type { Item } from "./merge.ts";
import { type CompiledMiddleware, type MiddlewareFault, regexpFault } from "./middleware-fault.ts";
import { PasswordFiles } from "./mqtt-auth.ts";

export interface CompiledMiddlewares {
  /** Every middleware by its name; one that cannot work is null, and routers that name it are off. */
  readonly rows: Map<string, MiddlewareRow | null>;
  /** The parts of password files and lists of networks that they use, by their names. */
  readonly parts: ReadonlyMap<string, string>;
}

export function compileMiddlewares(
  middlewares: ReadonlyMap<string, Item<MiddlewareConfig>>,
  files: CertificateFiles,
  diagnostics: Diagnostics,
): CompiledMiddlewares {
  const passwords = new PasswordFiles(files, diagnostics);
  const networks = new NetworkFiles(files, diagnostics);
  const rows = new Map<string, MiddlewareRow | null>();
  for (const [name, item] of middlewares)
    rows.set(name, compileMiddleware(name, item, { files, passwords, networks }, diagnostics));
  return { rows, parts: new Map([...passwords.texts, ...networks.texts]) };
}

type Kind = keyof MiddlewareConfig;

/** What a kind may need beside its value. */
interface Context {
  readonly files: CertificateFiles;
  readonly passwords: PasswordFiles;
  readonly networks: NetworkFiles;
  readonly about: Subject;
}

/** A row, or what is wrong; both where something that was good before stands in for what is wrong. */
type Compiled = MiddlewareRow | MiddlewareFault | CompiledMiddleware;

/** How each kind becomes a row. */
const COMPILERS: {
  readonly [K in Kind]: (value: NonNullable<MiddlewareConfig[K]>, context: Context) => Compiled;
} = {
  ipAllowList: (value, { networks, about }) => networks.row("ipAllowList", value, about),
  ipWhiteList: (value, { networks, about }) => networks.row("ipAllowList", value, about),
  ipDenyList: (value, { networks, about }) => networks.row("ipDenyList", value, about),
  inFlightConn: (value) => ({ kind: "inFlightConn", ...value }),
  rateLimit: ({ period, ...value }) => ({ kind: "rateLimit", ...value, periodMs: period }),
  bandwidth: (value) => ({
    kind: "bandwidth",
    in: value.in ?? null,
    out: value.out ?? null,
    burst: value.burst ?? null,
  }),
  mqttConnect: compileMqttConnect,
  mqttAuth: compileMqttAuth,
  mqttIdentity: (value, { files }) => compileMqttIdentity(value, files),
};

function compileMiddleware(
  name: string,
  { value, at, off }: Item<MiddlewareConfig>,
  given: Omit<Context, "about">,
  diagnostics: Diagnostics,
): MiddlewareRow | null {
  if (off) return null;
  const about: Subject = { kind: "middleware", name };
  const { row, faults } = compileKind(value, { ...given, about });
  const what = `the middleware "${bareName(name)}"${row === null ? " is off" : ""}`;
  for (const { code, path, message } of faults) diagnostics.error(code, at(...path), `${what}: ${message}`, about);
  return row;
}

function compileKind(value: MiddlewareConfig, context: Context): CompiledMiddleware {
  const kinds = (Object.keys(value) as Kind[]).filter((key) => value[key] !== undefined);
  const [kind] = kinds;
  const wrong = (message: string) => ({ row: null, faults: [{ code: "middleware-kind", path: [], message }] as const });
  if (kind === undefined) return wrong("it has no kind");
  if (kinds.length > 1) return wrong(`it has ${kinds.join(" and ")}, and a middleware is of one kind`);
  // The compiler does not see that value and function are of one kind.
  const compile = COMPILERS[kind] as (value: unknown, context: Context) => Compiled;
  const compiled = compile(value[kind], context);
  if ("kind" in compiled) return { row: compiled, faults: [] };
  const { row, faults } = "row" in compiled ? compiled : { row: null, faults: [compiled] };
  return { row, faults: faults.map((fault) => ({ ...fault, path: [kind, ...fault.path] })) };
}

/** For clients that ask for no keep alive. Milliseconds. */
const KEEP_ALIVE_ZERO_MS = 3_600_000;

/** Keep alive has two bytes, in seconds (MQTT 5.0 3.1.2.10). */
const MAX_KEEP_ALIVE_MS = 65_535_000;

function compileMqttConnect(value: NonNullable<MiddlewareConfig["mqttConnect"]>): MiddlewareRow | MiddlewareFault {
  const { timeout, maxSize, versions, clientId, maxKeepAlive, cleanOnly, allowWill, bridges } = value;
  const pattern = clientId?.pattern ?? null;
  const fault = pattern === null ? null : regexpFault(pattern);
  if (fault !== null) return { code: "middleware-value", path: ["clientId", "pattern"], message: fault };
  if (maxKeepAlive !== undefined && (maxKeepAlive < 1000 || maxKeepAlive > MAX_KEEP_ALIVE_MS))
    return {
      code: "middleware-value",
      path: ["maxKeepAlive"],
      message: "maxKeepAlive must be from 1s to 65535s, which is all that MQTT can say",
    };
  if (value.keepAliveZero !== undefined && value.idleTimeout === undefined)
    return {
      code: "fields-conflict",
      path: ["keepAliveZero"],
      message:
        "keepAliveZero says nothing without  idleTimeout: keepAlive, and nobody would be closed: give both, or remove it",
    };
  return {
    kind: "mqttConnect",
    timeoutMs: timeout,
    maxSize,
    versions,
    clientIdPattern: pattern,
    clientIdMaxLength: clientId?.maxLength ?? null,
    clientIdAllowEmpty: clientId?.allowEmpty ?? null,
    maxKeepAlive: maxKeepAlive === undefined ? null : Math.floor(maxKeepAlive / 1000),
    cleanOnly,
    allowWill,
    bridges,
    keepAliveZeroMs: value.idleTimeout === undefined ? null : (value.keepAliveZero ?? KEEP_ALIVE_ZERO_MS),
  };
}

/** By what its file holds, or by what it held before; without either it is off. */
function compileMqttAuth(value: NonNullable<MiddlewareConfig["mqttAuth"]>, { passwords, about }: Context): Compiled {
  const compiled = passwords.row(value, about);
  if (compiled.kind === "ok") return compiled.value;
  const { code, message, former } = compiled;
  return { row: former, faults: [{ code, path: ["passwordFile"], message }] };
}
