// What is wrong with a middleware of the configuration.

import type { Code } from "../config/codes.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import { compileRe2 } from "../text/re2.ts";

export interface MiddlewareFault {
  readonly code: Code;
  /** Where in the middleware's kind. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A middleware, and what is wrong with it all the same: something that was good before stands in. */
export interface CompiledMiddleware {
  /** null: it cannot work. */
  readonly row: MiddlewareRow | null;
  readonly faults: readonly MiddlewareFault[];
}

/** What is wrong with a regular expression; null: nothing. */
export function regexpFault(source: string): string | null {
  try {
    compileRe2(source);
    return null;
  } catch (error) {
    return `${JSON.stringify(source.slice(0, 60))} is no regular expression: ${(error as Error).message}`;
  }
}
