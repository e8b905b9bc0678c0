// TLS-ALPN-01 (RFC 8737): an authority's look at the certificate that proves a name. It comes before every route and never reaches a
// broker; the connection ends with the handshake, so whoever asks for this protocol gets nowhere else.

import { createSecureContext } from "node:tls";
import { encodeAlpn, type ServerUpgrade } from "../../net/tls.ts";
import type { ChallengeAnswer } from "../../protocol/messages.ts";

const ACME_ALPN = encodeAlpn(["acme-tls/1"]);

/** The handshake that answers a challenge. */
export function challengeUpgrade({ cert, key }: ChallengeAnswer): ServerUpgrade {
  const { context } = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  return { context, requestCert: false, alpn: ACME_ALPN, maxRecord: 0 };
}
