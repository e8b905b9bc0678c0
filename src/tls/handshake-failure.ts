// Why a handshake failed: by the alert of the client, or by what BoringSSL said. A fixed set, because it is a label of a metric.

import type { HandshakeError } from "../net/socket.ts";

/** Alerts that clients send (RFC 8446 6, and older ones), by their numbers. */
const ALERTS = {
  10: "alert-unexpected-message",
  20: "alert-bad-record-mac",
  22: "alert-record-overflow",
  40: "alert-handshake-failure",
  42: "alert-bad-certificate",
  43: "alert-unsupported-certificate",
  44: "alert-certificate-revoked",
  45: "alert-certificate-expired",
  46: "alert-certificate-unknown",
  47: "alert-illegal-parameter",
  48: "alert-unknown-ca",
  49: "alert-access-denied",
  50: "alert-decode-error",
  51: "alert-decrypt-error",
  70: "alert-protocol-version",
  71: "alert-insufficient-security",
  80: "alert-internal-error",
  86: "alert-inappropriate-fallback",
  110: "alert-unsupported-extension",
  112: "alert-unrecognized-name",
  113: "alert-bad-certificate-status-response",
  120: "alert-no-application-protocol",
} as const;

/** BoringSSL's reasons (SSL_R_*) by what they mean to an operator. */
const REASONS = {
  UNSUPPORTED_PROTOCOL: "no-shared-version",
  UNKNOWN_PROTOCOL: "no-shared-version",
  NO_SUPPORTED_VERSIONS_ENABLED: "no-shared-version",
  NO_SHARED_CIPHER: "no-shared-cipher",
  NO_CIPHERS_PASSED: "no-shared-cipher",
  NO_SHARED_GROUP: "no-shared-group",
  WRONG_CURVE: "no-shared-group",
  UNSUPPORTED_ELLIPTIC_CURVE: "no-shared-group",
  NO_COMMON_SIGNATURE_ALGORITHMS: "no-shared-signature",
  WRONG_SIGNATURE_TYPE: "no-shared-signature",
  NO_APPLICATION_PROTOCOL: "no-shared-protocol",
  INAPPROPRIATE_FALLBACK: "inappropriate-fallback",
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: "decrypt-error",
  DECRYPTION_FAILED: "decrypt-error",
  DIGEST_CHECK_FAILED: "decrypt-error",
  BAD_SIGNATURE: "bad-signature",
  BAD_PACKET_LENGTH: "bad-record",
  ENCRYPTED_LENGTH_TOO_LONG: "bad-record",
  DATA_LENGTH_TOO_LONG: "bad-record",
  WRONG_VERSION_NUMBER: "bad-record",
  UNEXPECTED_RECORD: "bad-record",
  HTTP_REQUEST: "bad-record",
  HTTPS_PROXY_REQUEST: "bad-record",
  BAD_ALERT: "bad-record",
  UNKNOWN_ALERT_TYPE: "bad-record",
  BAD_CHANGE_CIPHER_SPEC: "bad-record",
  UNEXPECTED_MESSAGE: "bad-message",
  EXCESSIVE_MESSAGE_SIZE: "bad-message",
  EXCESS_HANDSHAKE_DATA: "bad-message",
  DECODE_ERROR: "bad-message",
  PARSE_TLSEXT: "bad-message",
  ERROR_PARSING_EXTENSION: "bad-message",
  BAD_ECPOINT: "bad-message",
  LENGTH_MISMATCH: "bad-message",
  MISSING_EXTENSION: "bad-message",
  CANNOT_PARSE_LEAF_CERT: "bad-certificate",
  CERT_LENGTH_MISMATCH: "bad-certificate",
  UNKNOWN_CERTIFICATE_TYPE: "bad-certificate",
  UNSUPPORTED_CERTIFICATE: "bad-certificate",
  ECC_CERT_NOT_FOR_SIGNING: "bad-certificate",
  KEY_USAGE_BIT_INCORRECT: "bad-certificate",
  BAD_ECC_CERT: "bad-certificate",
} as const;

type ByAlert = (typeof ALERTS)[keyof typeof ALERTS];
type ByReason = (typeof REASONS)[keyof typeof REASONS];
/** Log field and metric label. */
export type HandshakeCause = ByAlert | ByReason | "alert-other" | "client-gone" | "other";

/** SSLV3_ALERT_*, TLSV1_ALERT_* and names that BoringSSL lacks have the alert's number above this one (SSL_AD_REASON_OFFSET). */
const ALERT_OFFSET = 1000;
/** Library 16 is SSL; the reason is in the last twelve bits (ERR_PACK). */
const PACKED = /^error:10000([0-9a-f]{3}):/i;
const NAMED = /:([A-Z][A-Z0-9_]*)$/;

/** Why it failed, of all that `error` may say. `alert` is one that the client sent in the clear, or 0. */
export function handshakeCause(error: HandshakeError | null, alert: number): HandshakeCause {
  if (alert !== 0) return byAlert(alert);
  if (error === null || error.code === "ECONNRESET" || error.code === "EPIPE") return "client-gone";
  const packed = PACKED.exec(error.message);
  const number = packed === null ? 0 : Number.parseInt(packed[1]!, 16);
  if (number >= ALERT_OFFSET) return byAlert(number - ALERT_OFFSET);
  const name = NAMED.exec(error.message)?.[1] ?? "";
  return Object.hasOwn(REASONS, name) ? REASONS[name as keyof typeof REASONS] : "other";
}

/** close_notify, and user_canceled before it (RFC 8446 6.1), are how a client leaves. */
function byAlert(alert: number): HandshakeCause {
  if (alert === 0 || alert === 90) return "client-gone";
  return Object.hasOwn(ALERTS, alert) ? ALERTS[alert as keyof typeof ALERTS] : "alert-other";
}

export const HANDSHAKE_CAUSES: readonly HandshakeCause[] = [
  ...new Set<HandshakeCause>([
    ...Object.values(ALERTS),
    ...Object.values(REASONS),
    "alert-other",
    "client-gone",
    "other",
  ]),
];
