// Whether the certificates that a server sent lead to an authority that its clients trust: RFC 5280 6 as far as names, signatures, dates and
// the right to issue go. A whole handshake by the TLS library judges beside it, where one comes about.

import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { detailsOf } from "../certs/details.ts";
import { hasSigned, isSelfIssued, orderChain } from "../certs/issuers.ts";

export interface Path {
  /** From the server's own certificate up to the last that is known, without the authority that is trusted. */
  readonly chain: readonly X509Certificate[];
  /** Whom the clients trust; null: it leads to nobody such. */
  readonly anchor: X509Certificate | null;
  /** A link whose signature is wrong: who should have issued whom. */
  readonly broken: readonly [X509Certificate, X509Certificate] | null;
  /** Who issues here and may not. */
  readonly pretender: X509Certificate | null;
}

/** `sent` in the order of the server, its own first; `anchors` are the authorities that its clients trust. */
export function pathOf(sent: readonly X509Certificate[], anchors: readonly X509Certificate[]): Path {
  const { chain } = orderChain(sent[0]!, sent.slice(1));
  let broken: Path["broken"] = null;
  let pretender: Path["pretender"] = null;
  for (const [index, certificate] of chain.entries()) {
    const below = chain[index - 1];
    if (below !== undefined) {
      if (!hasSigned(certificate, below)) broken ??= [certificate, below];
      if (detailsOf(certificate.raw)?.isAuthority === false) pretender ??= certificate;
    }
    const itself = anchors.find((anchor) => anchor.fingerprint256 === certificate.fingerprint256);
    const anchor = itself ?? anchors.find((each) => certificate.checkIssued(each) && hasSigned(each, certificate));
    if (anchor !== undefined) return { chain: chain.slice(0, index + 1), anchor, broken, pretender };
  }
  return { chain, anchor: null, broken, pretender };
}

/** Roots behind the server's own certificate, which every client that trusts them has itself. */
export function rootsSent(sent: readonly X509Certificate[]): X509Certificate[] {
  return sent.slice(1).filter(isSelfIssued);
}

/** What is no part of the way from the server's certificate up. */
export function unrelated(sent: readonly X509Certificate[]): X509Certificate[] {
  return orderChain(sent[0]!, sent.slice(1)).rest;
}

/** How messages call the issuer of a certificate. */
export function issuerOf(certificate: X509Certificate): string {
  return detailsOf(certificate.raw)?.issuer ?? certificate.issuer;
}

/** The public authorities that come with the runtime: Mozilla's. */
export function publicAnchors(): X509Certificate[] {
  return rootCertificates.map((pem) => new X509Certificate(pem));
}
