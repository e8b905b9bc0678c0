// Middlewares of the configuration as rows.

import type { Code } from "../config/codes.ts";
import type { Diagnostics, Place } from "../config/diagnostics.ts";
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

function compileMiddleware(name: string, item: Item<MiddlewareConfig>, diagnostics: Diagnostics): MiddlewareRow | null {
  const { value, at } = item;
  const kinds = Object.keys(value).filter((key) => value[key as keyof MiddlewareConfig] !== undefined);
  const [kind] = kinds;
  const fail = (code: Code, place: Place, message: string) => {
    diagnostics.error(code, place, `the middleware "${bareName(name)}" is off: ${message}`, {
      kind: "middleware",
      name,
    });
    return null;
  };
  if (item.off) return null;
  if (kinds.length !== 1)
    return fail(
      "middleware-kind",
      at(),
      kind === undefined ? "it has no kind" : `it has ${kinds.join(" and ")}, and a middleware is of one kind`,
    );
  if (value.inFlightConn !== undefined) return { kind: "inFlightConn", amount: value.inFlightConn.amount };
  const { sourceRange } = (value.ipAllowList ?? value.ipWhiteList)!;
  const wrong = sourceRange.findIndex((network) => parseNetwork(network) === null);
  if (wrong < 0) return { kind: "ipAllowList", sourceRange };
  return fail(
    "middleware-value",
    at(kind!, "sourceRange", wrong),
    `${JSON.stringify(sourceRange[wrong]!.slice(0, 60))} is neither an IP address nor a network such as 10.0.0.0/8`,
  );
}
