// Who has issued which certificate: by name, and by signature where names alone do not tell.

import type { X509Certificate } from "node:crypto";

/** No client follows a longer chain; a file with thousands of certificates must not cost their number squared. */
const MAX_CHAIN = 32;
/** Certificates of one name whose signatures are compared: an authority has a few, over the years. */
const MAX_ISSUERS = 16;

/** The leaf and each one's issuer behind it, as TLS wants them (RFC 8446 4.4.2), and what belongs elsewhere. */
export function orderChain(
  leaf: X509Certificate,
  certificates: readonly X509Certificate[],
): { chain: X509Certificate[]; rest: X509Certificate[] } {
  const chain = [leaf];
  const isInChain = (cert: X509Certificate): boolean =>
    chain.some((each) => each.fingerprint256 === cert.fingerprint256);
  for (let last = leaf; !isSelfIssued(last) && chain.length < MAX_CHAIN; ) {
    const issuers = certificates.filter((cert) => !isInChain(cert) && last.checkIssued(cert)).slice(0, MAX_ISSUERS);
    // Names alone do not tell an authority's old certificate from the one with its new key; the signature costs, so it comes last.
    const issuer = issuers.length > 1 ? (issuers.find((cert) => hasSigned(cert, last)) ?? issuers[0]) : issuers[0];
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return { chain, rest: certificates.filter((cert) => !isInChain(cert)) };
}

/** Whether the key of one certificate has signed the other one. */
export function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of a kind that the runtime does not know
  }
}

export function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer;
}
