// Middlewares of the configuration as rows.

import { RE2JS } from "re2js";
import type { Code } from "../config/codes.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { MiddlewareConfig } from "../config/middlewares.ts";
import { bareName } from "../config/names.ts";
import { parseNetwork } from "../ip/address.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import type { Item } from "./merge.ts";

/** Every middleware by its name; one that cannot work is null, and routers that name it are off. */
export function compileMiddlewares(
  middlewares: ReadonlyMap<string, Item<MiddlewareConfig>>,
  diagnostics: Diagnostics,
): Map<string, MiddlewareRow | null> {
  return new Map([...middlewares].map(([name, item]) => [name, compileMiddleware(name, item, diagnostics)]));
}

/** What is wrong with a middleware, and where in it. */
interface Fault {
  readonly code: Code;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Kind = keyof MiddlewareConfig;

/** How each kind becomes a row. */
const COMPILERS: { readonly [K in Kind]: (value: NonNullable<MiddlewareConfig[K]>) => MiddlewareRow | Fault } = {
  ipAllowList: compileAllowList,
  ipWhiteList: compileAllowList,
  inFlightConn: ({ amount }) => ({ kind: "inFlightConn", amount }),
  mqttConnect: compileMqttConnect,
};

function compileMiddleware(name: string, item: Item<MiddlewareConfig>, diagnostics: Diagnostics): MiddlewareRow | null {
  const { value, at } = item;
  if (item.off) return null;
  const compiled = compileKind(value);
  if ("kind" in compiled) return compiled;
  const { code, path, message } = compiled;
  diagnostics.error(code, at(...path), `the middleware "${bareName(name)}" is off: ${message}`, {
    kind: "middleware",
    name,
  });
  return null;
}

function compileKind(value: MiddlewareConfig): MiddlewareRow | Fault {
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
  const compile = COMPILERS[kind] as (value: unknown) => MiddlewareRow | Fault;
  const compiled = compile(value[kind]);
  return "kind" in compiled ? compiled : { ...compiled, path: [kind, ...compiled.path] };
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

/** What is wrong with a regular expression; null: nothing. */
function regexpFault(source: string): string | null {
  try {
    RE2JS.compile(source);
    return null;
  } catch (error) {
    return `${JSON.stringify(source.slice(0, 60))} is no regular expression: ${(error as Error).message}`;
  }
}
