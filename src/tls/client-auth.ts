// The verdict on a client's certificate after a handshake, the same for full and resumed ones.
//
// BoringSSL's verdict comes as `error`, also when the handshake itself succeeded; and without a request for a certificate `error`
// is set although all is well. So each type has its own reading, and a certificate that has expired since its session began is
// refused here, because a resumed session carries the old verdict.

import type { X509Certificate } from "node:crypto";
import { type CertificateIdentity, identityOf } from "../certs/x509.ts";
import type { HandshakeError } from "../net/socket.ts";
import { isAllowed } from "./client-names.ts";
import type { ServerTlsOptions } from "./options.ts";
import { type Revocations, revocationsOf } from "./revocations.ts";

/** Also log field and metric label. */
export type ClientAuthReject =
  | "client-certificate-missing"
  | "client-certificate-invalid"
  | "client-certificate-expired"
  | "client-certificate-revoked"
  /** No revocation list of its authority is in force, so nobody knows whether it is revoked. */
  | "client-certificate-unchecked"
  | "client-certificate-not-allowed";

/** null when the client may come in. `now` in milliseconds since the epoch. */
export function judgeClient(
  options: ServerTlsOptions,
  certificate: X509Certificate | undefined,
  error: HandshakeError | null,
  now: number,
): ClientAuthReject | null {
  switch (options.clientAuth) {
    case "NoClientCert":
    case "RequestClientCert":
      return null;
    case "RequireAnyClientCert":
      return certificate === undefined ? "client-certificate-missing" : null;
    case "VerifyClientCertIfGiven":
      return certificate === undefined ? null : verified(options, certificate, error, now);
    case "RequireAndVerifyClientCert":
      return certificate === undefined ? "client-certificate-missing" : verified(options, certificate, error, now);
  }
}

function verified(
  options: ServerTlsOptions,
  certificate: X509Certificate,
  error: HandshakeError | null,
  now: number,
): ClientAuthReject | null {
  if (Date.parse(certificate.validTo) < now) return "client-certificate-expired";
  if (error !== null) return "client-certificate-invalid";
  const revocations = revocationsOf(options);
  if (revocations === null && options.allowedNames.length === 0) return null;
  const identity = identityOf(certificate.raw);
  if (identity === null) return "client-certificate-invalid";
  if (revocations !== null) {
    const verdict = judgeChain(revocations, certificate, identity, now);
    if (verdict !== null) return verdict;
  }
  if (options.allowedNames.length > 0 && !isAllowed(options.allowedNames, identity))
    return "client-certificate-not-allowed";
  return null;
}

/** Longer chains are not built. */
const MAX_CHAIN = 10;

/** The client's own certificate must be known to be good; one above it must not be known to be bad. */
function judgeChain(
  revocations: Revocations,
  certificate: X509Certificate,
  identity: CertificateIdentity,
  now: number,
): ClientAuthReject | null {
  const verdict = revocations.judge(identity, now);
  if (verdict !== "good") return verdict === "revoked" ? "client-certificate-revoked" : "client-certificate-unchecked";
  let above = certificate.issuerCertificate;
  for (let i = 0; above !== undefined && i < MAX_CHAIN; i++) {
    const issuer = identityOf(above.raw);
    if (issuer === null) return "client-certificate-invalid";
    if (revocations.judge(issuer, now) === "revoked") return "client-certificate-revoked";
    if (issuer.subject === issuer.issuer) break;
    above = above.issuerCertificate;
  }
  return null;
}
