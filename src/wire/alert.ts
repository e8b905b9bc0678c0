// TLS alerts (RFC 8446 6): their numbers, and the record that carries one before any key is there.

/** AlertDescription of RFC 8446 6.2: those that Sluice sends itself. The TLS library sends others. */
export const ALERTS = {
  unexpected_message: 10,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  internal_error: 80,
  unrecognized_name: 112,
  certificate_required: 116,
} as const;
export type Alert = keyof typeof ALERTS;

export const ALERT_RECORD = 21;
export const FATAL = 2;

/** A fatal alert in a record of TLS 1.2's version, as every stack takes it (RFC 8446 5.1: it "MUST be ignored for all purposes"). */
export function fatalAlert(alert: Alert): Buffer {
  return Buffer.from([ALERT_RECORD, 0x03, 0x03, 0x00, 0x02, FATAL, ALERTS[alert]]);
}
