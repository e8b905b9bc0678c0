// What a client that has sent its CONNECT is told when it does not come to a broker, so that it knows whether, and when, to come again.

import type { Refusal } from "../mqtt/connack.ts";
import type { Reason } from "./reasons.ts";

/** The reasons that stand for an answer; on all others the connection is closed without one. */
const REFUSALS: Partial<Record<Reason, Refusal>> = {
  "no-server": "no-broker",
  "dial-failed": "no-broker",
  "servers-full": "quota",
  unanswered: "no-broker",
  "service-down": "no-broker",
  "router-off": "no-broker",
  "rules-changed": "no-broker",
  shutdown: "no-broker",
  drained: "no-broker",
  removed: "no-broker",
  "held-limit": "busy",
  "too-many-connections": "quota",
  "too-many-connects": "rate",
  "common-name-unusable": "not-authorized",
  "common-name-too-long": "not-authorized",
  "other-tls": "not-authorized",
  "no-route": "not-authorized",
  "unknown-sni": "not-authorized",
  "address-not-allowed": "not-authorized",
  "address-denied": "banned",
};

export function refusalFor(reason: Reason): Refusal | null {
  // A reload may ask for a certificate that the client does not have.
  if (reason.startsWith("client-certificate-")) return "not-authorized";
  return REFUSALS[reason] ?? null;
}
