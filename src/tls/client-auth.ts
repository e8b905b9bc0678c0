// The verdict on a client's certificate after a handshake, the same for full and resumed ones.
//
// BoringSSL's verdict comes as `error`, also when the handshake itself succeeded; and without a request for a certificate `error`
// is set although all is well. So each type has its own reading, and a certificate that has expired since its session began is
// refused here, because a resumed session carries the old verdict.

import type { X509Certificate } from "node:crypto";
import { identityOf } from "../certs/x509.ts";
import type { HandshakeError } from "../net/socket.ts";
import type { Alert } from "../wire/alert.ts";
import { isAllowed } from "./client-names.ts";
import type { ServerTlsOptions } from "./options.ts";
import { type Revocable, revocationsOf } from "./revocations.ts";

/** Also log field and metric label. */
export type ClientAuthReject =
  | "client-certificate-missing"
  /** No path leads from it to one of the client CAs. */
  | "client-certificate-untrusted"
  /** It, or an authority above it, is over. */
  | "client-certificate-expired"
  | "client-certificate-not-yet-valid"
  /** It is not for TLS clients (extended key usage), or was issued by what is no authority. */
  | "client-certificate-wrong-purpose"
  /** An authority of the right name has not signed it. */
  | "client-certificate-bad-signature"
  /** Anything else that BoringSSL does not accept, or what cannot be read. */
  | "client-certificate-invalid"
  | "client-certificate-revoked"
  /** A revocation list that is in force is missing on the way up to the root, so nobody knows whether it is revoked. */
  | "client-certificate-unchecked"
  | "client-certificate-not-allowed";

/** What the client is told, as OpenSSL has it (ssl_x509err2alert), and so Mosquitto. Before TLS 1.3 none is required of it. */
export const CLIENT_AUTH_ALERTS: Readonly<Record<ClientAuthReject, Alert>> = {
  "client-certificate-missing": "certificate_required",
  "client-certificate-untrusted": "unknown_ca",
  "client-certificate-expired": "certificate_expired",
  "client-certificate-not-yet-valid": "bad_certificate",
  "client-certificate-wrong-purpose": "unsupported_certificate",
  "client-certificate-bad-signature": "decrypt_error",
  "client-certificate-invalid": "bad_certificate",
  "client-certificate-revoked": "certificate_revoked",
  "client-certificate-unchecked": "certificate_unknown",
  "client-certificate-not-allowed": "access_denied",
};

/** BoringSSL's verdicts, by the codes that Node.js has for them (X509_V_ERR_*). */
const CODES: Readonly<Record<string, ClientAuthReject>> = {
  UNABLE_TO_GET_ISSUER_CERT: "client-certificate-untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "client-certificate-untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "client-certificate-untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "client-certificate-untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "client-certificate-untrusted",
  CERT_UNTRUSTED: "client-certificate-untrusted",
  CERT_CHAIN_TOO_LONG: "client-certificate-untrusted",
  CERT_HAS_EXPIRED: "client-certificate-expired",
  CERT_NOT_YET_VALID: "client-certificate-not-yet-valid",
  INVALID_PURPOSE: "client-certificate-wrong-purpose",
  INVALID_CA: "client-certificate-wrong-purpose",
  CERT_REJECTED: "client-certificate-wrong-purpose",
  PATH_LENGTH_EXCEEDED: "client-certificate-wrong-purpose",
  CERT_SIGNATURE_FAILURE: "client-certificate-bad-signature",
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: "client-certificate-bad-signature",
};

export type ClientAuthVerdict =
  /** `revocable` is what to look the client up by later on; null where there are no revocation lists. */
  | { readonly kind: "admitted"; readonly revocable: Revocable | null }
  | { readonly kind: "refused"; readonly reason: ClientAuthReject };

const ADMITTED: ClientAuthVerdict = { kind: "admitted", revocable: null };

/** `now` in milliseconds since the epoch. */
export function judgeClient(
  options: ServerTlsOptions,
  certificate: X509Certificate | undefined,
  error: HandshakeError | null,
  now: number,
): ClientAuthVerdict {
  switch (options.clientAuth) {
    case "NoClientCert":
    case "RequestClientCert":
      return ADMITTED;
    case "RequireAnyClientCert":
      return certificate === undefined ? refused("client-certificate-missing") : ADMITTED;
    case "VerifyClientCertIfGiven":
      return certificate === undefined ? ADMITTED : verified(options, certificate, error, now);
    case "RequireAndVerifyClientCert":
      return certificate === undefined
        ? refused("client-certificate-missing")
        : verified(options, certificate, error, now);
  }
}

function verified(
  options: ServerTlsOptions,
  certificate: X509Certificate,
  error: HandshakeError | null,
  now: number,
): ClientAuthVerdict {
  if (error !== null) return refused(CODES[error.code ?? ""] ?? "client-certificate-invalid");
  if (!(Date.parse(certificate.validTo) >= now)) return refused("client-certificate-expired");
  if (!(Date.parse(certificate.validFrom) <= now)) return refused("client-certificate-not-yet-valid");
  const revocations = revocationsOf(options);
  const revocable = revocations?.identify(certificate) ?? null;
  if (revocations !== null) {
    const verdict = revocable === null ? "unknown" : revocations.judge(revocable, now);
    if (verdict === "revoked") return refused("client-certificate-revoked");
    if (verdict === "unknown") return refused("client-certificate-unchecked");
  }
  if (options.allowedNames.length > 0) {
    const identity = identityOf(certificate.raw);
    if (identity === null) return refused("client-certificate-invalid");
    if (!isAllowed(options.allowedNames, identity)) return refused("client-certificate-not-allowed");
  }
  return { kind: "admitted", revocable };
}

function refused(reason: ClientAuthReject): ClientAuthVerdict {
  return { kind: "refused", reason };
}
