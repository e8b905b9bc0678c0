// Names what comes where a CONNECT should: another protocol, or another packet of MQTT.

import { commonPrefix, OPENINGS } from "../wire/openings.ts";

/** Another protocol. At once the log field and the metric label, so the set is fixed. */
export type NotMqtt = (typeof NOT_MQTT)[number];

export const NOT_MQTT = [
  /** A request of HTTP. */
  "http",
  /** MQTT over WebSocket: its request, or a frame without one. */
  "websocket",
  /** A TLS record or an SSLv2 hello, behind the TLS that has been taken off, or where none is. */
  "tls-in-tls",
  /** A PROXY protocol header behind TLS, or where none is expected. */
  "proxy-line",
  "ssh",
  "smtp",
  "redis",
  "amqp",
  "stomp",
  "rdp",
  "unknown",
] as const;

const KNOWN: readonly { readonly protocol: NotMqtt; readonly bytes: Uint8Array }[] = [
  ...OPENINGS.map(({ protocol, bytes }) => ({
    protocol: protocol === "proxy" ? ("proxy-line" as const) : protocol,
    bytes,
  })),
  ...(
    [
      ["ssh", "SSH-"],
      ["smtp", "EHLO "],
      ["smtp", "HELO "],
      ["amqp", "AMQP"],
      ["stomp", "CONNECT\n"],
      ["stomp", "CONNECT\r\n"],
      ["stomp", "STOMP\n"],
      ["rdp", "\x03\0"],
      ["redis", "*"],
    ] as const
  ).map(([protocol, text]) => ({ protocol, bytes: Buffer.from(text) })),
];

/** Two bytes at least; the first is not that of a CONNECT, or `isTls` knows it. null: it is a packet of MQTT, which is no CONNECT. */
export function nameStranger(bytes: Buffer): NotMqtt | null {
  if (isTls(bytes)) return "tls-in-tls";
  let isBeginning = false;
  for (const { protocol, bytes: opening } of KNOWN) {
    const same = commonPrefix(bytes, 0, opening);
    if (same === opening.length) return protocol === "http" && asksForWebSocket(bytes) ? "websocket" : protocol;
    // "PO" is the beginning of POST, and no PUBREC of 79 bytes.
    isBeginning ||= same === bytes.length;
  }
  if (isWebSocketFrame(bytes)) return "websocket";
  return isBeginning || !isPacket(bytes[0]!) ? "unknown" : null;
}

/**
 * A record of TLS 1.x (an alert or a handshake), or an SSLv2 hello. The first byte of a handshake is that of a CONNECT with flags, and
 * then the version reads as a remaining length of 3, which no CONNECT has.
 */
export function isTls(bytes: Uint8Array): boolean {
  const [first, second, third] = [bytes[0]!, bytes[1]!, bytes[2]];
  if (first === 0x15 || first === 0x16) return second === 3;
  return first === 0x80 && second > 0 && third === 1;
}

/** Bytes of a request in which the header is looked for. */
const REQUEST_LOOK = 2048;

function asksForWebSocket(bytes: Buffer): boolean {
  return /\r\nupgrade:[ \t]*websocket/i.test(bytes.toString("latin1", 0, REQUEST_LOOK));
}

/** A last fragment of text or bytes, masked, as clients must (RFC 6455 5.2). A SUBSCRIBE of 128 bytes and more looks the same. */
function isWebSocketFrame(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x81 || bytes[0] === 0x82) && bytes[1]! >= 0x80;
}

/** Types whose flags must be 2 (3.1.1 table 2.2): PUBREL, SUBSCRIBE, UNSUBSCRIBE. PUBLISH has its own. */
const [PUBLISH, FLAGGED] = [3, [6, 8, 10]];

/** Whether it can be the first byte of a packet: type 0 is reserved. */
function isPacket(first: number): boolean {
  const [type, flags] = [first >> 4, first & 0x0f];
  if (type === 0) return false;
  // [MQTT-3.3.1-4]: both bits of QoS are never set.
  if (type === PUBLISH) return (flags & 6) !== 6;
  return flags === (FLAGGED.includes(type) ? 2 : 0);
}
