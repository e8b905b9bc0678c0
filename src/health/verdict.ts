// What a check of a server finds: plain data, and its words.

import type { MqttVersion } from "../mqtt/version.ts";
import { type DialError, isShortage } from "../net/dial-error.ts";

/** Why a check failed: also a metric label, so the set is fixed. */
export type CheckError =
  | DialError
  /** The connection was closed before the answer was there. */
  | "closed"
  /** It is open, and no whole answer has come in time: a broker that hangs. */
  | "silent"
  /** Another answer than the one that was awaited. */
  | "unexpected"
  /** Its CONNACK says that it serves nobody now. */
  | "unavailable"
  /** It refuses the user name and the password that the check was given. */
  | "credentials"
  /** Sluice itself was busy for so long that the time was over before it could look. */
  | "late";

export type Verdict =
  | { readonly kind: "good" }
  /** It is alive and answers, but does not let the check in. */
  | { readonly kind: "alive"; readonly detail: string }
  | { readonly kind: "failed"; readonly reason: CheckError; readonly detail: string };

/** What is counted. */
export type CheckResult = "good" | "refused-check" | CheckError;

export function resultOf(verdict: Verdict): CheckResult {
  switch (verdict.kind) {
    case "good":
      return "good";
    case "alive":
      return "refused-check";
    case "failed":
      return verdict.reason;
  }
}

/** Whether Sluice lacks something, time among it: the server has no part in it. */
export function isOwnShortage(outcome: string): boolean {
  return outcome === "late" || isShortage(outcome);
}

/** 3.1.1 table 3.1. */
const WORDS_OF_3: Readonly<Record<number, string>> = {
  1: "unacceptable protocol version",
  2: "identifier rejected",
  3: "server unavailable",
  4: "bad user name or password",
  5: "not authorized",
};
/** 5 table 3-1. */
const WORDS_OF_5: Readonly<Record<number, string>> = {
  128: "unspecified error",
  129: "malformed packet",
  130: "protocol error",
  131: "implementation specific error",
  132: "unsupported protocol version",
  133: "client identifier not valid",
  134: "bad user name or password",
  135: "not authorized",
  136: "server unavailable",
  137: "server busy",
  138: "banned",
  140: "bad authentication method",
  144: "topic name invalid",
  149: "packet too large",
  151: "quota exceeded",
  156: "use another server",
  157: "server moved",
  159: "connection rate exceeded",
};

/** It serves nobody, or nobody more, for now. */
const UNAVAILABLE = new Set([3, 136, 137, 151, 156, 157, 159]);
/** It does not know the check, or does not trust it. */
const CREDENTIALS = new Set([4, 5, 134, 135, 138, 140]);

/**
 * What a CONNACK that refuses says of the server. Who has judged a CONNECT is alive, so a check that has no credentials, or speaks a
 * version that is not served, is good enough. Credentials are given so that they are tried: where they are refused, whatever the server
 * looks users up in may be gone, and its clients are refused as well.
 */
export function verdictOfRefusal(code: number, version: MqttVersion, hasCredentials: boolean): Verdict {
  const hex = `0x${code.toString(16).padStart(2, "0")}`;
  // A server that does not know 5 answers in the form of 3.1.1.
  const words = (version === "5" ? (WORDS_OF_5[code] ?? WORDS_OF_3[code]) : WORDS_OF_3[code]) ?? "an unknown code";
  const said = `its CONNACK has code ${code} (${hex}), ${words}`;
  if (UNAVAILABLE.has(code)) return { kind: "failed", reason: "unavailable", detail: said };
  if (!CREDENTIALS.has(code))
    return { kind: "alive", detail: `${said}: change version or clientId of healthCheck.mqtt` };
  return hasCredentials
    ? {
        kind: "failed",
        reason: "credentials",
        detail: `${said}: the check's user name or password is wrong, or the server cannot look users up`,
      }
    : { kind: "alive", detail: `${said}: give healthCheck.mqtt a username and a password that it knows` };
}
