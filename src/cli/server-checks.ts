// Checks servers once, now, as the running Sluice would: for explain --check.

import type { Compiled } from "../compile/compile.ts";
import type { ServerFinding } from "../explain/watching.ts";
import { checkOnce, MAX_RUNNING, prober } from "../health/watch.ts";
import { watchedOf } from "../health/watched.ts";

/** What was found, by the key of each server of these services. */
export async function checkServers(
  { rows, checks }: Compiled,
  services: ReadonlySet<string>,
): Promise<Map<string, ServerFinding>> {
  const found = new Map<string, ServerFinding>();
  const waiting = watchedOf(rows.values(), checks).filter(({ service }) => services.has(service));
  const run = prober();
  const work = async (): Promise<void> => {
    for (let watched = waiting.pop(); watched !== undefined; watched = waiting.pop()) {
      const { verdict, ms } = await checkOnce(run, watched);
      found.set(watched.key, {
        isUp: verdict.kind !== "failed",
        detail: verdict.kind === "good" ? "" : verdict.detail,
        ms: Math.round(ms),
      });
    }
  };
  await Promise.all(Array.from({ length: MAX_RUNNING }, work));
  return found;
}
