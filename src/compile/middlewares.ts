// Middlewares of the configuration as rows.

import { RE2JS } from "re2js";
import type { CertificateFiles } from "../certs/files.ts";
import type { Code } from "../config/codes.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { MiddlewareConfig } from "../config/middlewares.ts";
import { bareName } from "../config/names.ts";
import { parseNetwork } from "../ip/address.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import type { Item } from "./merge.ts";
import { PasswordFiles } from "./mqtt-auth.ts";

export interface CompiledMiddlewares {
  /** Every middleware by its name; one that cannot work is null, and routers that name it are off. */
  readonly rows: Map<string, MiddlewareRow | null>;
  /** The parts of password files that they use, by their names. */
  readonly users: ReadonlyMap<string, string>;
}

export function compileMiddlewares(
  middlewares: ReadonlyMap<string, Item<MiddlewareConfig>>,
  files: CertificateFiles,
  diagnostics: Diagnostics,
): CompiledMiddlewares {
  const passwords = new PasswordFiles(files, diagnostics);
  const rows = new Map<string, MiddlewareRow | null>();
  for (const [name, item] of middlewares) rows.set(name, compileMiddleware(name, item, passwords, diagnostics));
  return { rows, users: passwords.texts };
}

/** What is wrong with a middleware, and where in it. */
interface Fault {
  readonly code: Code;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Kind = keyof MiddlewareConfig;

/** What a kind may need beside its value. */
interface Context {
  readonly passwords: PasswordFiles;
  readonly about: Subject;
  /** Tells of a fault that does not turn the middleware off. */
  tell(fault: Fault): void;
}

/** How each kind becomes a row. */
const COMPILERS: {
  readonly [K in Kind]: (value: NonNullable<MiddlewareConfig[K]>, context: Context) => MiddlewareRow | Fault;
} = {
  ipAllowList: compileAllowList,
  ipWhiteList: compileAllowList,
  inFlightConn: ({ amount }) => ({ kind: "inFlightConn", amount }),
  mqttConnect: compileMqttConnect,
  mqttAuth: compileMqttAuth,
};

function compileMiddleware(
  name: string,
  item: Item<MiddlewareConfig>,
  passwords: PasswordFiles,
  diagnostics: Diagnostics,
): MiddlewareRow | null {
  const { value, at } = item;
  if (item.off) return null;
  const about: Subject = { kind: "middleware", name };
  const say = ({ code, path, message }: Fault, state: string) =>
    diagnostics.error(code, at(...path), `the middleware "${bareName(name)}"${state}: ${message}`, about);
  const compiled = compileKind(value, { passwords, about, tell: (fault) => say(fault, "") });
  if ("kind" in compiled) return compiled;
  say(compiled, " is off");
  return null;
}

function compileKind(value: MiddlewareConfig, context: Context): MiddlewareRow | Fault {
  const kinds = (Object.keys(value) as Kind[]).filter((key) => value[key] !== undefined);
  const [kind] = kinds;
  if (kind === undefined) return { code: "middleware-kind", path: [], message: "it has no kind" };
  if (kinds.length > 1)
    return {
      code: "middleware-kind",
      path: [],
      message: `it has ${kinds.join(" and ")}, and a middleware is of one kind`,
    };
  // The compiler does not see that value and function are of one kind.
  const compile = COMPILERS[kind] as (value: unknown, context: Context) => MiddlewareRow | Fault;
  const within = (fault: Fault): Fault => ({ ...fault, path: [kind, ...fault.path] });
  const compiled = compile(value[kind], { ...context, tell: (fault) => context.tell(within(fault)) });
  return "kind" in compiled ? compiled : within(compiled);
}

function compileAllowList({ sourceRange }: NonNullable<MiddlewareConfig["ipAllowList"]>): MiddlewareRow | Fault {
  const wrong = sourceRange.findIndex((network) => parseNetwork(network) === null);
  if (wrong < 0) return { kind: "ipAllowList", sourceRange };
  const what = JSON.stringify(sourceRange[wrong]!.slice(0, 60));
  return {
    code: "middleware-value",
    path: ["sourceRange", wrong],
    message: `${what} is neither an IP address nor a network such as 10.0.0.0/8`,
  };
}

function compileMqttConnect(value: NonNullable<MiddlewareConfig["mqttConnect"]>): MiddlewareRow | Fault {
  const { timeout, maxSize, versions, clientId, maxKeepAlive, cleanOnly, allowWill, bridges } = value;
  const pattern = clientId?.pattern ?? null;
  const fault = pattern === null ? null : regexpFault(pattern);
  if (fault !== null) return { code: "middleware-value", path: ["clientId", "pattern"], message: fault };
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
    keepAliveZeroMs: value.idleTimeout === undefined ? null : value.keepAliveZero,
  };
}

/** By what its file holds, or by what it held before; without either it is off. */
function compileMqttAuth(value: NonNullable<MiddlewareConfig["mqttAuth"]>, context: Context): MiddlewareRow | Fault {
  const compiled = context.passwords.row(value, context.about);
  if (compiled.kind === "ok") return compiled.value;
  const fault: Fault = { code: compiled.code, path: ["passwordFile"], message: compiled.message };
  if (compiled.former === null) return fault;
  context.tell(fault);
  return compiled.former;
}

/** What is wrong with a regular expression; null: nothing. */
function regexpFault(source: string): string | null {
  try {
    RE2JS.compile(source);
    return null;
  } catch (error) {
    return `${JSON.stringify(source.slice(0, 60))} is no regular expression: ${(error as Error).message}`;
  }
}
