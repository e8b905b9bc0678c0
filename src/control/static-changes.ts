// What differs between two static configurations, for the log.

import type { StaticConfig } from "../config/static.ts";

/** Names such as `log.level` or `entryPoints.mqtts`, at most two words deep: enough to find it. Empty: they are the same. */
export function changedFields(before: StaticConfig["value"], after: StaticConfig["value"]): string[] {
  return differing(before, after, 2);
}

function differing(before: unknown, after: unknown, depth: number): string[] {
  if (Bun.deepEquals(before, after)) return [];
  if (depth === 0 || !isMapping(before) || !isMapping(after)) return [""];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) =>
    differing(before[name], after[name], depth - 1).map((rest) => (rest === "" ? name : `${name}.${rest}`)),
  );
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
