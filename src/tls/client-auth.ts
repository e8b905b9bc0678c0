// The verdict on a client's certificate after a handshake, the same for full and resumed ones.
//
// BoringSSL's verdict comes as `error`, also when the handshake itself succeeded; and without a request for a certificate `error`
// is set although all is well. So each type has its own reading, and a certificate that has expired since its session began is
// refused here, because a resumed session carries the old verdict.

import type { X509Certificate } from "node:crypto";
import { identityOf } from "../certs/x509.ts";
import type { HandshakeError } from "../net/socket.ts";
import { isAllowed } from "./client-names.ts";
import type { ServerTlsOptions } from "./options.ts";
import { type Revocable, revocationsOf } from "./revocations.ts";

/** Also log field and metric label. */
export type ClientAuthReject =
  | "client-certificate-missing"
  | "client-certificate-invalid"
  | "client-certificate-expired"
  | "client-certificate-revoked"
  /** A revocation list that is in force is missing on the way up to the root, so nobody knows whether it is revoked. */
  | "client-certificate-unchecked"
  | "client-certificate-not-allowed";

export type ClientAuthVerdict =
  /** `revocable` is what to look the client up by later on; null where there are no revocation lists. */
  | { readonly kind: "admitted"; readonly revocable: Revocable | null }
  | { readonly kind: "refused"; readonly reason: ClientAuthReject };

const ADMITTED: ClientAuthVerdict = { kind: "admitted", revocable: null };

/**
 * `now` in milliseconds since the epoch. `current` are the options of the same name that are in force by now: who began the
 * handshake before a list came is judged by that list all the same.
 */
export function judgeClient(
  options: ServerTlsOptions,
  certificate: X509Certificate | undefined,
  error: HandshakeError | null,
  now: number,
  current: ServerTlsOptions | null = null,
): ClientAuthVerdict {
  switch (options.clientAuth) {
    case "NoClientCert":
    case "RequestClientCert":
      return ADMITTED;
    case "RequireAnyClientCert":
      return certificate === undefined ? refused("client-certificate-missing") : ADMITTED;
    case "VerifyClientCertIfGiven":
      return certificate === undefined ? ADMITTED : verified(options, certificate, error, now, current);
    case "RequireAndVerifyClientCert":
      return certificate === undefined
        ? refused("client-certificate-missing")
        : verified(options, certificate, error, now, current);
  }
}

function verified(
  options: ServerTlsOptions,
  certificate: X509Certificate,
  error: HandshakeError | null,
  now: number,
  current: ServerTlsOptions | null,
): ClientAuthVerdict {
  if (!(Date.parse(certificate.validTo) >= now)) return refused("client-certificate-expired");
  if (error !== null) return refused("client-certificate-invalid");
  const revocations = (current === null ? null : revocationsOf(current)) ?? revocationsOf(options);
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
