// Why Sluice cannot start.

import type { EntryPointConfig } from "../config/entry-points.ts";
import { formatHostPort } from "../config/scalars.ts";
import { describeError } from "../system/errors.ts";

/** Something that the operator must mend before Sluice can start; its message is the one line that is printed. */
export class StartError extends Error {}

export function cannotListen({ name, host, port }: EntryPointConfig, error: unknown): StartError {
  return new StartError(
    `entry point ${name}: cannot listen on ${formatHostPort(host || "*", port)}: ${describeError(error)}`,
  );
}
