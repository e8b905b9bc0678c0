// How far a chain of certificates goes, and whether clients can follow it: for `check` and `certs show`, not for reloads, which
// have no time to verify signatures.

import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { Remark } from "../config/diagnostics.ts";
import { detailsOf } from "./details.ts";
import { hasSigned, isSelfIssued } from "./issuers.ts";
import { type Loaded, ownCertificates } from "./pem.ts";

export type ChainEnd =
  /** The certificate vouches for itself. */
  | { readonly kind: "self-signed" }
  /** The last one is its own root. */
  | { readonly kind: "root" }
  /** A public root has issued it. */
  | { readonly kind: "public-root"; readonly root: string }
  /** Whoever issued the last one is neither in the file nor a public root. */
  | { readonly kind: "open"; readonly issuer: string; readonly missing: boolean };

/** Where a chain ends, leaf first. `missing` when it looks as if a certificate had been left out, and not only a private root. */
export function endOf(chain: readonly X509Certificate[]): ChainEnd {
  const leaf = chain[0]!;
  const last = chain[chain.length - 1]!;
  if (isSelfIssued(last)) return chain.length === 1 ? { kind: "self-signed" } : { kind: "root" };
  // Of a cross-signed root clients have its other certificate, so any one of the chain will do.
  for (const certificate of chain) {
    const root = publicRootOf(certificate);
    if (root !== null) return { kind: "public-root", root: detailsOf(root.raw)?.subject ?? root.subject };
  }
  const missing = chain.length > 1 || (detailsOf(leaf.raw)?.issuerUrls.length ?? 0) > 0;
  return { kind: "open", issuer: detailsOf(last.raw)?.issuer ?? last.issuer, missing };
}

/** What is wrong with how a chain ends; null when nothing is. */
export function describeMissing(chain: readonly X509Certificate[], end: ChainEnd): string | null {
  if (end.kind !== "open" || !end.missing) return null;
  if (chain.length === 1)
    return `its issuer's certificate is not in the file, and no public root: ${end.issuer}. Clients that lack it refuse the connection: append it`;
  return `its chain ends with a certificate whose issuer is neither in the file nor a public root: ${end.issuer}. Clients need it as their root, or in the file`;
}

/** What `check` says about the chain of a pair. */
export function chainWarnings({ pair, facts }: Extract<Loaded, { kind: "ok" }>): Remark[] {
  const warnings: Remark[] = [];
  if (!facts.inOrder) warnings.push({ code: "certificate-chain", message: OUT_OF_ORDER });
  const chain = ownCertificates(pair.cert);
  const missing = describeMissing(chain, endOf(chain));
  if (missing !== null) warnings.push({ code: "certificate-chain", message: missing });
  return warnings;
}

export const OUT_OF_ORDER =
  "its chain is out of order in the file: Sluice sends it in order, but other programs send it as it is";

/** Whether certificates of `chain` stand in `given` in another order than clients need them in; others may stand between them. */
export function isOutOfOrder(chain: readonly X509Certificate[], given: readonly X509Certificate[]): boolean {
  const places = chain.map((each) => given.findIndex((one) => one.fingerprint256 === each.fingerprint256));
  return places.some((place, index) => index > 0 && place < places[index - 1]!);
}

let byName: Map<string, X509Certificate[]> | null = null;

/** The public root that has issued a certificate, or that it is another certificate of. */
function publicRootOf(certificate: X509Certificate): X509Certificate | null {
  if (byName === null) {
    byName = new Map();
    for (const pem of rootCertificates) {
      const root = new X509Certificate(pem);
      byName.set(root.subject, [...(byName.get(root.subject) ?? []), root]);
    }
  }
  const same = byName.get(certificate.subject)?.find((root) => hasSameKey(root, certificate));
  return same ?? byName.get(certificate.issuer)?.find((root) => hasSigned(root, certificate)) ?? null;
}

function hasSameKey(one: X509Certificate, other: X509Certificate): boolean {
  try {
    return one.publicKey.equals(other.publicKey);
  } catch {
    return false; // a key of a kind that the runtime does not know
  }
}
