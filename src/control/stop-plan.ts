// How Sluice stops, as the entry points say it: the times and the pace.

import type { StaticConfig } from "../config/static.ts";
import type { DrainPace } from "../protocol/messages.ts";

export interface StopPlan {
  /** How long clients are still accepted, while /ping says already that they should not come. Milliseconds. */
  readonly acceptMs: number;
  /** How long connections may then go on. Milliseconds. */
  readonly graceMs: number;
  readonly pace: DrainPace;
}

/** Of each time the longest of all entry points counts. Those of the admin side have no connections to wait for. */
export function stopPlan({ entryPoints }: Pick<StaticConfig, "entryPoints">): StopPlan {
  const points = [...entryPoints.values()].filter((point) => !point.admin);
  const spread = points.filter((point) => point.spread).map((point) => point.name);
  return {
    acceptMs: Math.max(...points.map((point) => point.requestAcceptGraceTimeoutMs)),
    graceMs: Math.max(...points.map((point) => point.graceTimeoutMs)),
    pace: spread.length === 0 ? { kind: "together" } : { kind: "evenly", entryPoints: spread },
  };
}
