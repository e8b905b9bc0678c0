// What is certain about a client's certificate before the TLS library has judged it. Before TLS 1.3 a client can be told why it is
// refused only as long as the server has not finished its part of the handshake, and Bun asks nobody before that. So only what the
// verdict afterwards (client-auth.ts) must refuse as well is foreseen here, by names, dates and lists. No signature is verified.

import { X509Certificate } from "node:crypto";
import { type Link, linkOf, mayHaveIssued } from "../certs/links.ts";
import { ownCertificates } from "../certs/pem.ts";
import { type ClientAuthReject, judgeClient } from "./client-auth.ts";
import { type ServerTlsOptions, verifies } from "./options.ts";

/** Of a client that sends more certificates than anybody's chain has nothing is said. */
const MAX_CHAIN = 16;

/** `chain` in DER, the client's own certificate first; `now` in milliseconds since the epoch. null: nothing is certain. */
export function foresee(options: ServerTlsOptions, chain: readonly Uint8Array[], now: number): ClientAuthReject | null {
  if (chain.length === 0) return options.clientAuth.startsWith("Require") ? "client-certificate-missing" : null;
  if (!verifies(options.clientAuth) || chain.length > MAX_CHAIN) return null;
  try {
    const [own, ...above] = chain.map((each) => linkOf(Buffer.from(each))) as [Link, ...Link[]];
    if (!leadsToAuthority(own, above, linksOf(options))) return "client-certificate-untrusted";
    if (!own.isForClients) return "client-certificate-wrong-purpose";
    const verdict = judgeClient(options, new X509Certificate(Buffer.from(chain[0]!)), null, now);
    return verdict.kind === "refused" ? verdict.reason : null;
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

/** It is the authority's own certificate, or one that looks like it. */
function isSame(authority: Link, link: Link): boolean {
  return authority.subject === link.subject && authority.issuer === link.issuer;
}

const known = new WeakMap<ServerTlsOptions, readonly Link[]>();

/** @throws Malformed */
function linksOf(options: ServerTlsOptions): readonly Link[] {
  let links = known.get(options);
  if (links === undefined) {
    links = ownCertificates(options.clientCa).map(({ raw }) => linkOf(raw));
    known.set(options, links);
  }
  return links;
}
