// What is said of revocation lists by which clients are refused that have done nothing.

import type { X509Certificate } from "node:crypto";
import type { RevocationList } from "../certs/crl.ts";
import { identityOf } from "../certs/x509.ts";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import { Revocations } from "./revocations.ts";

/** Time to fetch a new list before the old one shuts everyone out. */
export const CRL_WARNING_MS = 7 * 86_400_000;

/** Why clients are refused, or soon will be, that have done nothing. */
export function describeRevocations(
  lists: readonly RevocationList[],
  authorities: readonly X509Certificate[],
): Remark[] {
  const remarks: Remark[] = [];
  const say = (code: Code, message: string): void => void remarks.push({ code, message });
  const now = Date.now();
  const revocations = new Revocations(lists, authorities);
  const names = new Map<string, string>();
  for (const authority of authorities) {
    const identity = identityOf(authority.raw);
    if (identity === null) continue;
    const name = `"${identity.commonNames[0] ?? "(no common name)"}"`;
    names.set(identity.subject, name);
    if (!lists.some((list) => list.issuer === identity.subject))
      say("crl-missing", `no revocation list is of the authority ${name}: clients with its certificates are refused`);
    const revocable = identity.issuer === identity.subject ? null : revocations.identify(authority);
    if (revocable !== null && revocations.judge(revocable, now) === "revoked")
      say("crl-missing", `the authority ${name} is revoked itself: clients with its certificates are refused`);
  }
  for (const { issuer, nextUpdate } of lists) {
    if (nextUpdate === null || nextUpdate - now > CRL_WARNING_MS) continue;
    const day = new Date(nextUpdate).toISOString().slice(0, 16).replace("T", " ");
    const which = `the revocation list of ${names.get(issuer)}`;
    if (nextUpdate < now) say("crl-due", `${which} was due for renewal on ${day} UTC: all its clients are refused`);
    else say("crl-due", `${which} is due for renewal on ${day} UTC; after that all its clients are refused`);
  }
  return remarks;
}
