// What is certain about a client's certificate before the TLS library has judged it. Before TLS 1.3 a client can be told why it is
// refused only as long as the server has not finished its part of the handshake, and Bun asks nobody before that. So only what the
// verdict afterwards (client-auth.ts) must refuse as well is foreseen here, by names, dates and lists.

import { X509Certificate } from "node:crypto";
import { hasSigned } from "../certs/issuers.ts";
import { type Link, linkOf, mayHaveIssued } from "../certs/links.ts";
import { ownCertificates } from "../certs/pem.ts";
import { type ClientAuthReject, judgeClient } from "./client-auth.ts";
import { type ServerTlsOptions, verifies } from "./options.ts";
import { revocationsOf } from "./revocations.ts";

/** Of a client that sends more certificates than anybody's chain has nothing is said. */
const MAX_CHAIN = 16;

/** `chain` in DER, the client's own certificate first; `now` in milliseconds since the epoch. null: nothing is certain. */
export function foresee(options: ServerTlsOptions, chain: readonly Uint8Array[], now: number): ClientAuthReject | null {
  if (chain.length === 0) return options.clientAuth.startsWith("Require") ? "client-certificate-missing" : null;
  if (!verifies(options.clientAuth) || chain.length > MAX_CHAIN) return null;
  const authorities = linksOf(options);
  if (authorities === null) return null;
  try {
    const [own, ...above] = chain.map((each) => linkOf(Buffer.from(each))) as [Link, ...Link[]];
    if (!leadsToAuthority(own, above, authorities)) return "client-certificate-untrusted";
    if (!own.isForClients) return "client-certificate-wrong-purpose";
    const certificate = new X509Certificate(Buffer.from(chain[0]!));
    const verdict = judgeClient(options, certificate, null, now);
    if (verdict.kind !== "refused") return null;
    // Of one that no authority stands behind a list cannot say anything: for such a forgery nobody shall look for a list that is missing.
    if (verdict.reason === "client-certificate-unchecked" && !isSigned(options, chain)) return null;
    return verdict.reason;
  } catch {
    // It cannot be read here. The library may well read it.
    return null;
  }
}

/** Whether some path leads from a certificate, over the others that the client sent, to an authority. */
function leadsToAuthority(own: Link, above: readonly Link[], authorities: readonly Link[]): boolean {
  const reached = new Set([own]);
  for (const link of reached) {
    if (authorities.some((each) => mayHaveIssued(each, link) || isSame(each, link))) return true;
    for (const each of above) if (mayHaveIssued(each, link)) reached.add(each);
  }
  return false;
}

/** Whether signatures lead from a certificate to an authority, over the others in the order in which they were sent (RFC 5246 7.4.2). */
function isSigned(options: ServerTlsOptions, chain: readonly Uint8Array[]): boolean {
  const revocations = revocationsOf(options);
  let link = new X509Certificate(Buffer.from(chain[0]!));
  for (const der of chain.slice(1)) {
    if (revocations?.identify(link)) return true;
    const above = new X509Certificate(Buffer.from(der));
    if (!hasSigned(above, link)) return false;
    link = above;
  }
  return revocations?.identify(link) != null;
}

/** It is the authority's own certificate, or one that looks like it. */
function isSame(authority: Link, link: Link): boolean {
  return authority.subject === link.subject && authority.issuer === link.issuer;
}

const known = new WeakMap<ServerTlsOptions, readonly Link[] | null>();

/** null when one of them cannot be read here: found out once, not for each client. */
function linksOf(options: ServerTlsOptions): readonly Link[] | null {
  let links = known.get(options);
  if (links === undefined) {
    try {
      links = ownCertificates(options.clientCa).map(({ raw }) => linkOf(raw));
    } catch {
      links = null;
    }
    known.set(options, links);
  }
  return links;
}
