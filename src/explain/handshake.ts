// What of a client's handshake can be foreseen: what ends it, what the client sees of that, and what is known of the client behind it.

import { X509Certificate } from "node:crypto";
import { subjectOf } from "../certs/details.ts";
import type { Reason } from "../proxy/reasons.ts";
import { formatAddress } from "../rules/explain.ts";
import { CLIENT_AUTH_ALERTS } from "../tls/client-auth.ts";
import { foresee } from "../tls/foresee.ts";
import { type ServerTlsOptions, verifies } from "../tls/options.ts";
import { ALERTS } from "../wire/alert.ts";
import type { Client } from "./client.ts";
import type { CertificateChoice, TlsFacts } from "./explanation.ts";
import type { Known } from "./identity.ts";

export const UNRECOGNIZED = "the TLS alert unrecognized_name (112), before any certificate";
export const DENIED = "the TLS alert access_denied (49), before any certificate";
export const CLOSED = "the connection is closed without an answer";

export const AFTER_HANDSHAKE = "a TLS handshake, and then the end of the connection";
export const CONNACK = "a CONNACK that refuses it, and then the end of the connection";

export type HandshakeFailure = readonly [reason: Reason, sees: string];

/** What ends a handshake under these TLS settings, as far as that can be foreseen: the reason, and what the client sees. */
export function handshakeFailure(
  { alpn }: TlsFacts,
  options: ServerTlsOptions,
  certificates: readonly CertificateChoice[],
  client: Client,
): HandshakeFailure | null {
  if (certificates.length === 0) return ["no-certificate", UNRECOGNIZED];
  if (alpn.protocols !== null && client.alpn.length > 0 && alpn.answer === null)
    return ["handshake-failed", "the TLS alert no_application_protocol (120)"];
  const reason = client.chain === null ? null : foresee(options, client.chain, Date.now());
  if (reason === null) return null;
  const alert = CLIENT_AUTH_ALERTS[reason];
  return [reason, `the TLS alert ${alert} (${ALERTS[alert]})`];
}

/** `options` are those of the client's TLS; null: Sluice does not terminate it, and sees no certificate. */
export function knownOf({ sni, from, connect, chain }: Client, options: ServerTlsOptions | null): Known {
  const [own = null] = chain ?? [];
  const counts = options !== null && verifies(options.clientAuth);
  return {
    sni,
    address: from === null ? undefined : formatAddress(from),
    connect,
    certificate: !counts ? null : chain === null ? undefined : own,
  };
}

/** What the certificate is called that the client shows; null: none is known. */
export function certificateOf({ chain }: Client): string | null {
  const [own] = chain ?? [];
  return own === undefined ? null : subjectOf(new X509Certificate(own));
}
