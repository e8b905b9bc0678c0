// How servers are watched, in words, and what a check of one has found.

import { DEFAULT_PASSIVE, type HealthCheck, type Passive } from "../upstream/health.ts";
import { seconds } from "./seconds.ts";

/** What a check has found that explain was asked to make. */
export interface ServerFinding {
  readonly isUp: boolean;
  /** Why it is down, or what is to be said of it all the same; "" when all is well. */
  readonly detail: string;
  /** How long the check took. */
  readonly ms: number;
}

/** What takes a server out, and what brings it back. */
export function watchingOf(check: HealthCheck | null, passive: Passive = DEFAULT_PASSIVE): string {
  const { failures, unanswered, windowMs, coolDownMs } = passive;
  const causes = [
    ...(failures > 0 ? [`${times(failures, "failed dial")} within ${seconds(windowMs)}`] : []),
    ...(unanswered > 0 ? [`${times(unanswered, "CONNECT")} in a row that only another server answers`] : []),
  ];
  const back = check === null ? `dialled again after ${seconds(coolDownMs)}` : "back by its checks";
  const clients = causes.length === 0 ? "not by clients" : `by ${causes.join(", or ")}; ${back}`;
  return check === null ? `taken out ${clients}` : `${checkWords(check)}; taken out by that, or ${clients}`;
}

function checkWords({ port, intervalMs, unhealthyIntervalMs, timeoutMs, rise, fall, talk }: HealthCheck): string {
  const how =
    talk.kind === "mqtt"
      ? `by MQTT ${talk.version}${talk.username === null ? "" : " with a user name"}`
      : talk.expect !== ""
        ? "by send and expect"
        : "by a connection";
  const where = port === null ? "" : ` to port ${port}`;
  const after = unhealthyIntervalMs === intervalMs ? "" : `, ${seconds(unhealthyIntervalMs)} after a failed one`;
  const out = `out after ${fall}, back after ${rise}`;
  return `checked ${how}${where} every ${seconds(intervalMs)}${after}, each within ${seconds(timeoutMs)}, ${out}`;
}

function times(count: number, what: string): string {
  return count === 1 ? `a ${what}` : `${count} ${what}s`;
}
