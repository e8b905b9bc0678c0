// The verdict on a client's certificate after a handshake, the same for full and resumed ones.
//
// BoringSSL's verdict comes as `error`, also when the handshake itself succeeded; and without a request for a certificate `error`
// is set although all is well. So each type has its own reading, and a certificate that has expired since its session began is
// refused here, because a resumed session carries the old verdict.

import type { X509Certificate } from "node:crypto";
import type { HandshakeError } from "../net/socket.ts";
import type { ClientAuthType } from "./options.ts";

/** Also log field and metric label. */
export type ClientAuthReject =
  | "client-certificate-missing"
  | "client-certificate-invalid"
  | "client-certificate-expired";

/** null when the client may come in. `now` in milliseconds since the epoch. */
export function judgeClient(
  type: ClientAuthType,
  certificate: X509Certificate | undefined,
  error: HandshakeError | null,
  now: number,
): ClientAuthReject | null {
  switch (type) {
    case "NoClientCert":
    case "RequestClientCert":
      return null;
    case "RequireAnyClientCert":
      return certificate === undefined ? "client-certificate-missing" : null;
    case "VerifyClientCertIfGiven":
      return certificate === undefined ? null : verified(certificate, error, now);
    case "RequireAndVerifyClientCert":
      return certificate === undefined ? "client-certificate-missing" : verified(certificate, error, now);
  }
}

function verified(certificate: X509Certificate, error: HandshakeError | null, now: number): ClientAuthReject | null {
  if (Date.parse(certificate.validTo) < now) return "client-certificate-expired";
  return error === null ? null : "client-certificate-invalid";
}
