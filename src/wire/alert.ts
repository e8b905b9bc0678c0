// TLS alerts as they are written before any key is there (RFC 8446 6, in a record of TLS 1.2's version as every stack takes it).

/** AlertDescription of RFC 8446 6.2. */
export const ALERTS = { access_denied: 49, unrecognized_name: 112 } as const;

const FATAL = 2;

/** A fatal alert in a record of its own. */
export function fatalAlert(alert: keyof typeof ALERTS): Buffer {
  return Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, FATAL, ALERTS[alert]]);
}
