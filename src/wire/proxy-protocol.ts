// Reads a PROXY protocol header, versions 1 and 2 (haproxy doc/proxy-protocol.txt), which a load balancer puts before a connection to say
// whose it is. Total: any bytes give a result. What is not a header to the letter is bad, never half believed.

import { isMapped, parseAddress } from "../ip/address.ts";

/** Bytes of a whole header. The text allows 65 551; 536 must be taken; nginx takes 4096. */
export const MAX_PROXY_HEADER = 4096;
/** 2.1: a line of version 1 has at most 107 characters, CRLF among them. */
const MAX_LINE = 107;

export interface Endpoint {
  /** 4 bytes, or 16; IPv4 that is mapped into IPv6 has 4. */
  readonly address: Uint8Array;
  readonly port: number;
}

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Where it ends. */
  readonly length: number;
  /** Who is connected to whom; null: the real addresses are right (LOCAL, UNKNOWN, UNSPEC). */
  readonly addresses: { readonly source: Endpoint; readonly destination: Endpoint } | null;
  /** Type and value; views of what was read. */
  readonly tlvs: readonly (readonly [type: number, value: Uint8Array])[];
}

export type ProxyResult =
  | ({ readonly kind: "ok" } & ProxyHeader)
  /** Nothing new can be said before another byte has come. */
  | { readonly kind: "more" }
  /** It begins as no header does. */
  | { readonly kind: "none" }
  | { readonly kind: "bad" };

const MORE = { kind: "more" } as const;
const NONE = { kind: "none" } as const;
const BAD = { kind: "bad" } as const;

const V1 = Buffer.from("PROXY ");
const V2 = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const V2_START = 16;

/** `bytes` is everything received so far; what is behind the header is not looked at. */
export function parseProxyHeader(bytes: Uint8Array): ProxyResult {
  if (bytes.length === 0) return MORE;
  if (begins(bytes, V1)) return bytes.length < V1.length ? MORE : parseLine(bytes);
  if (begins(bytes, V2)) return bytes.length < V2_START ? MORE : parseBinary(bytes);
  return NONE;
}

/** Whether one is the beginning of the other. */
function begins(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== signature[at]) return false;
  return true;
}

const LINE = /^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;
/** After UNKNOWN anything may stand, but nothing that ends a line elsewhere. */
const UNKNOWN = /^PROXY UNKNOWN(?: [^\r\n\0]*)?$/;

function parseLine(bytes: Uint8Array): ProxyResult {
  const end = bytes.indexOf(0x0d);
  const feed = bytes.indexOf(0x0a);
  if (feed >= 0 && (end < 0 || feed < end)) return BAD;
  if (end < 0 || end + 2 > MAX_LINE) return end >= 0 || bytes.length >= MAX_LINE ? BAD : MORE;
  if (end + 1 === bytes.length) return MORE;
  if (bytes[end + 1] !== 0x0a) return BAD;
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
  const header = { kind: "ok", version: 1, length: end + 2, tlvs: [] } as const;
  if (UNKNOWN.test(line)) return { ...header, addresses: null };
  const match = LINE.exec(line);
  if (match === null) return BAD;
  const source = endpoint(match[1] === "6", match[2]!, match[4]!);
  const destination = endpoint(match[1] === "6", match[3]!, match[5]!);
  return source === null || destination === null ? BAD : { ...header, addresses: { source, destination } };
}

/** The grammar of version 1 has no zone, and no IPv4 in dots within IPv6. */
function endpoint(isV6: boolean, text: string, port: string): Endpoint | null {
  if (!(isV6 ? /^[0-9A-Fa-f:]+$/ : /^[0-9.]+$/).test(text)) return null;
  const address = parseAddress(text);
  return address === null || Number(port) > 65535 ? null : { address, port: Number(port) };
}

const FAMILY_BYTES: Readonly<Record<number, number>> = { 1: 12, 2: 36, 3: 216 };
const [INET, INET6] = [1, 2];
const STREAM = 1;

function parseBinary(bytes: Uint8Array): ProxyResult {
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 15];
  const [family, transport] = [bytes[13]! >> 4, bytes[13]! & 15];
  if (version !== 2 || command > 1 || family > 3 || transport > 2) return BAD;
  const length = V2_START + u16(bytes, 14);
  if (length > MAX_PROXY_HEADER) return BAD;
  if (bytes.length < length) return MORE;
  const header = { kind: "ok", version: 2, length } as const;
  // 2.2: LOCAL is the sender's own connection, such as a health check; what else is in it counts for nothing.
  if (command === 0) return { ...header, addresses: null, tlvs: [] };
  if (family === 0 || transport === 0) return { ...header, addresses: null, tlvs: [] };
  const start = V2_START + FAMILY_BYTES[family]!;
  if (start > length) return BAD;
  const tlvs = parseTlvs(bytes, start, length);
  // Datagrams do not come by TCP, and a path of a Unix socket is no address that a rule could judge.
  if (tlvs === null || transport !== STREAM || (family !== INET && family !== INET6)) return BAD;
  if (!hasRightChecksum(bytes.subarray(0, length), tlvs)) return BAD;
  const size = family === INET ? 4 : 16;
  const at = V2_START + 2 * size;
  return {
    ...header,
    addresses: {
      source: { address: unmapped(bytes.slice(V2_START, V2_START + size)), port: u16(bytes, at) },
      destination: { address: unmapped(bytes.slice(V2_START + size, at)), port: u16(bytes, at + 2) },
    },
    tlvs,
  };
}

type Tlvs = (readonly [number, Uint8Array])[];

/** null: one of them overruns. */
function parseTlvs(bytes: Uint8Array, start: number, end: number): Tlvs | null {
  const tlvs: Tlvs = [];
  for (let at = start; at < end; ) {
    if (at + 3 > end) return null;
    const next = at + 3 + u16(bytes, at + 1);
    if (next > end) return null;
    const value = bytes.subarray(at + 3, next);
    if (bytes[at] === TLV.ssl && (value.length < 5 || parseTlvs(value, 5, value.length) === null)) return null;
    tlvs.push([bytes[at]!, value]);
    at = next;
  }
  return tlvs;
}

/** 2.2.3. */
function hasRightChecksum(header: Uint8Array, tlvs: Tlvs): boolean {
  const found = tlvs.find(([type]) => type === TLV.crc32c)?.[1];
  if (found === undefined) return true;
  if (found.length !== 4) return false;
  const zeroed = new Uint8Array(header);
  const at = found.byteOffset - header.byteOffset;
  zeroed.fill(0, at, at + 4);
  return crc32c(zeroed) === ((u16(found, 0) << 16) | u16(found, 2)) >>> 0;
}

/** Types of 2.2, and of the parts of SSL. */
export const TLV = {
  ...{ alpn: 0x01, authority: 0x02, crc32c: 0x03, uniqueId: 0x05, ssl: 0x20 },
  ...{ sslVersion: 0x21, sslCn: 0x22, sslCipher: 0x23 },
} as const;

/** What each byte makes of a checksum. */
const CRC32C = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** RFC 3309 appendix B: reflected, polynomial 0x1edc6f41. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ CRC32C[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** As `parseAddress` gives it: IPv4 in IPv6 clothes is IPv4. */
function unmapped(address: Uint8Array): Uint8Array {
  return isMapped(address) ? address.subarray(12) : address;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
