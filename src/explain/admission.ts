// What an entry point admits, in words.

import { DEFAULT_RATE } from "../config/admission-limits.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";

type Settings = EntryPointConfig["admission"];

/** Networks that are shown. */
const MAX_TRUSTED = 5;

/** One line for each limit; none where everybody is admitted, or as by default. */
export function admissionLines(settings: Settings): string[] {
  const { maxConnections, connections, rate, handshakes, trustedIPs } = settings;
  const lines: string[] = [];
  if (maxConnections !== null) lines.push(`${maxConnections} connections at a time`);
  if (connections !== null) lines.push(`${connections} connections of an address at a time`);
  if (rate !== null) lines.push(`${often("connections", rate)} of an address`);
  if (handshakes.rate !== null) lines.push(often("handshakes", handshakes.rate));
  if (handshakes.concurrent !== null) lines.push(`${handshakes.concurrent} handshakes at a time`);
  const ofAddress = handshakes.rateOfAddress;
  const isDefault = ofAddress?.perSecond === DEFAULT_RATE && handshakes.concurrentOfAddress === null;
  if (isDefault && lines.length === 0) return [];
  if (ofAddress !== null) lines.push(`${often("handshakes", ofAddress)} of an address`);
  if (handshakes.concurrentOfAddress !== null)
    lines.push(`${handshakes.concurrentOfAddress} handshakes of an address at a time`);
  if (lines.length === 0 || trustedIPs.length === 0) return lines;
  const more = trustedIPs.length > MAX_TRUSTED ? `, ... (${trustedIPs.length} in all)` : "";
  return [...lines, `whoever comes from ${trustedIPs.slice(0, MAX_TRUSTED).join(", ")}${more} is not counted`];
}

function often(what: string, { perSecond, burst }: NonNullable<Settings["rate"]>): string {
  return `${perSecond} ${what} per second, ${burst} at once,`;
}
