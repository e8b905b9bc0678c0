// Which connections get a line in the access log.

import type { Reason } from "../proxy/reasons.ts";

export interface AccessFilters {
  /** Reasons that are kept; with "!" before it, all but these. */
  readonly reasons: readonly string[];
  /** Milliseconds. */
  readonly minDuration?: number | undefined;
}

/** Whether a connection that ended so, after so many milliseconds, has its line; null where every one has. */
export function filterOf(filters: AccessFilters | undefined): ((reason: Reason, durationMs: number) => boolean) | null {
  if (filters === undefined || (filters.reasons.length === 0 && filters.minDuration === undefined)) return null;
  const { reasons, minDuration = Number.POSITIVE_INFINITY } = filters;
  const not = new Set(reasons.filter((each) => each.startsWith("!")).map((each) => each.slice(1)));
  const only = new Set(reasons.filter((each) => !each.startsWith("!")));
  const keeps = (reason: Reason) => (only.size > 0 ? only.has(reason) : not.size > 0) && !not.has(reason);
  return (reason, durationMs) => durationMs >= minDuration || keeps(reason);
}
