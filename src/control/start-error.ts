// Why Sluice cannot start.

import type { EntryPointConfig } from "../config/entry-points.ts";
import { reasonOf } from "../config/files.ts";
import { formatAddress } from "../config/scalars.ts";

/** Something that the operator must mend before Sluice can start; its message is the one line that is printed. */
export class StartError extends Error {}

export function cannotListen({ name, host, port }: EntryPointConfig, error: unknown): StartError {
  return new StartError(
    `entry point ${name}: cannot listen on ${formatAddress(host || "*", port)}: ${reasonOf(error)}`,
  );
}
