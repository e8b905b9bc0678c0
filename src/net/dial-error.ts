// Why dials fail, by the errors of the system.

import { isOutOfDescriptors } from "./descriptors.ts";
import type { Spent } from "./source-turns.ts";

/** Why a dial failed: also a metric label, so the set is fixed. */
export type DialError =
  | "refused"
  | "timeout"
  | "unreachable"
  | "reset"
  | "dns"
  | "tls"
  | "certificate"
  | "descriptors"
  | "local-ports"
  | "source-addresses"
  | "absent"
  | "permission"
  | "other";

/** What the machine has no more of: no server has a part in it. */
export type Shortage = Extract<DialError, "descriptors" | Spent>;

const SHORTAGES: Readonly<Record<Shortage, true>> = {
  descriptors: true,
  "local-ports": true,
  "source-addresses": true,
};

export function isShortage(reason: string): reason is Shortage {
  return Object.hasOwn(SHORTAGES, reason);
}

const REASONS: Record<string, DialError> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "local-ports",
  EMFILE: "descriptors",
  ENFILE: "descriptors",
  ECONNRESET: "reset",
  ENOENT: "absent",
  EACCES: "permission",
  EPERM: "permission",
};

const SOURCE_REASONS: Record<string, Spent> = { EADDRINUSE: "local-ports", EADDRNOTAVAIL: "source-addresses" };

/** What such an error says of the source address that was bound; null: it is not about that. */
export function spentBy(code: string): Spent | null {
  return SOURCE_REASONS[code] ?? null;
}

export function dialErrorOf(code: string): DialError {
  const reason = REASONS[code] ?? "other";
  return (reason === "refused" || reason === "other") && isOutOfDescriptors() ? "descriptors" : reason;
}
