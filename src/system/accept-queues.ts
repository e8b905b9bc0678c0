// What the kernel says of connections that found no room in a listener's accept queue: nobody in Sluice ever sees them.

import { readFileSync } from "node:fs";

/** Of all listeners in this network namespace, since it is there. */
export interface AcceptQueues {
  /** Handshakes of TCP that were over when the queue was full. */
  readonly overflows: number;
  /** The same, and connections that were dropped for other reasons. */
  readonly drops: number;
}

/** null where there is no such file (Linux alone has it). */
export function readAcceptQueues(path = "/proc/net/netstat"): AcceptQueues | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return null;
  }
  const [names, values] = text.split("\n").filter((line) => line.startsWith("TcpExt:"));
  if (names === undefined || values === undefined) return null;
  const numbers = values.split(" ");
  const of = (name: string): number => Number(numbers[names.split(" ").indexOf(name)] ?? Number.NaN);
  const [overflows, drops] = [of("ListenOverflows"), of("ListenDrops")];
  return Number.isNaN(overflows) || Number.isNaN(drops) ? null : { overflows, drops };
}

/** The most connections that may wait for one listener; null where the system does not say. */
export function longestBacklog(path = "/proc/sys/net/core/somaxconn"): number | null {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}
