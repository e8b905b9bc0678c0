// Writes a PROXY protocol header, versions 1 and 2 (haproxy doc/proxy-protocol.txt): who is connected, and what TLS has shown of them.

import { formatIp } from "../ip/address.ts";
import { isFitForName } from "../text/names.ts";
import { crc32c, type Endpoint, TLV } from "./proxy-protocol.ts";

/** Bytes behind the 16 of a version 2 header: Mosquitto takes no more. */
export const MAX_PAYLOAD = 500;

/** What a header may say of the connection with the client. */
export interface ProxyFacts {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The name that the client asked for; "" for none. */
  readonly authority: string;
  /** The protocol agreed on, or the only one offered where TLS is passed through; "" for none. */
  readonly alpn: string;
  readonly uniqueId: Uint8Array | null;
  readonly crc32c: boolean;
  /** null where TLS does not end here: then nothing of it was verified. */
  readonly tls: ProxyTlsFacts | null;
}

export interface ProxyTlsFacts {
  readonly version: string;
  /** "" for unknown. */
  readonly cipher: string;
  readonly resumed: boolean;
  /** null: the client has shown none. */
  readonly certificate: {
    /** The first common name; null where there is none. */
    readonly commonName: string | null;
    /** 0 when it was verified, else an X.509 error. */
    readonly verify: number;
    readonly signatureAlgorithm: string;
    readonly keyAlgorithm: string;
  } | null;
}

/** `refuse`: such a header would tell the server something wrong, so the client must not reach it. */
export type ProxyWritten =
  | { readonly kind: "ok"; readonly bytes: Buffer }
  | { readonly kind: "refuse"; readonly reason: CommonNameFault };

/** Why a client's common name cannot be told. */
export type CommonNameFault = "common-name-unusable" | "common-name-too-long";

type Addresses = Pick<ProxyFacts, "source" | "destination">;

interface Payload {
  readonly bytes: Buffer;
  /** Where in it the checksum stands, if there is one. */
  readonly checksumAt: number;
}

const V2_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const START = 16;
/** Version 2 and its two commands. */
const [LOCAL, PROXY] = [0x20, 0x21];
const [UNSPEC, TCP_OVER_IPV4, TCP_OVER_IPV6] = [0x00, 0x11, 0x21];

/** Version 1. Never UNKNOWN: no form of it suits all receivers. Addresses of two families are both written as IPv6. */
export function writeProxyLine({ source, destination }: Addresses): Buffer {
  const [from, to] = sameFamily(source.address, destination.address);
  const family = from.length === 4 ? "TCP4" : "TCP6";
  return Buffer.from(`PROXY ${family} ${formatIp(from)} ${formatIp(to)} ${source.port} ${destination.port}\r\n`);
}

/** The optional parts that leave, one after another, until the rest fits. */
const DROP_ORDER = [
  "uniqueId",
  "signatureAlgorithm",
  "keyAlgorithm",
  "alpn",
  "cipher",
  "authority",
  "version",
] as const;
type Optional = (typeof DROP_ORDER)[number];

/** Version 2. Types in ascending order. The common name never leaves: a server may take it for the client's identity. */
export function writeProxyHeader(facts: ProxyFacts): ProxyWritten {
  const commonName = facts.tls?.certificate?.commonName ?? null;
  // A server would cut it at NUL, or write a line of its own into its log; and half of a surrogate pair has no UTF-8.
  if (commonName !== null && !isFitForName(commonName)) return { kind: "refuse", reason: "common-name-unusable" };
  const dropped = new Set<Optional>();
  for (let next = 0; ; next++) {
    const payload = payloadOf(facts, dropped);
    if (payload.bytes.length <= MAX_PAYLOAD) return { kind: "ok", bytes: seal(facts, payload) };
    if (next === DROP_ORDER.length) return { kind: "refuse", reason: "common-name-too-long" };
    dropped.add(DROP_ORDER[next]!);
  }
}

/** Version 2 without a client: a health check. Mosquitto 2.1 serves it only with addresses, which others skip. */
export function writeLocalHeader(addresses: Addresses | null): Buffer {
  const block = addresses === null ? { family: UNSPEC, bytes: NOTHING } : addressBlock(addresses);
  return Buffer.concat([start(LOCAL, block.family, block.bytes.length), block.bytes]);
}

function payloadOf(facts: ProxyFacts, dropped: ReadonlySet<Optional>): Payload {
  const kept = (part: Optional, value: string) => (dropped.has(part) ? "" : value);
  const { authority, uniqueId, tls } = facts;
  const before = Buffer.concat([
    addressBlock(facts).bytes,
    text(TLV.alpn, kept("alpn", facts.alpn)),
    text(TLV.authority, kept("authority", authority)),
  ]);
  const bytes = Buffer.concat([
    before,
    facts.crc32c ? tlv(TLV.crc32c, Buffer.alloc(4)) : NOTHING,
    uniqueId === null || dropped.has("uniqueId") ? NOTHING : tlv(TLV.uniqueId, uniqueId),
    tls === null ? NOTHING : sslOf(tls, kept),
  ]);
  return { bytes, checksumAt: before.length + TLV_HEAD };
}

/** 2.2.5: PP2_CLIENT_SSL, and with a certificate CERT_CONN on the connection that showed it, CERT_SESS always. */
const [SSL, CERT_CONN, CERT_SESS] = [0x01, 0x02, 0x04];
/** Any value but 0 says that nothing was verified. */
const NOT_VERIFIED = 1;

function sslOf(tls: ProxyTlsFacts, kept: (part: Optional, value: string) => string): Buffer {
  const { certificate, resumed } = tls;
  const head = Buffer.alloc(5);
  head[0] = certificate === null ? SSL : SSL | CERT_SESS | (resumed ? 0 : CERT_CONN);
  head.writeUInt32BE(certificate === null ? NOT_VERIFIED : certificate.verify, 1);
  return tlv(
    TLV.ssl,
    Buffer.concat([
      head,
      text(TLV.sslVersion, kept("version", tls.version)),
      text(TLV.sslCn, certificate?.commonName ?? ""),
      text(TLV.sslCipher, kept("cipher", tls.cipher)),
      text(TLV.sslSignature, kept("signatureAlgorithm", certificate?.signatureAlgorithm ?? "")),
      text(TLV.sslKey, kept("keyAlgorithm", certificate?.keyAlgorithm ?? "")),
    ]),
  );
}

/** The checksum is over the whole header, with zeros in its own place (2.2.3). */
function seal(facts: ProxyFacts, { bytes, checksumAt }: Payload): Buffer {
  const header = Buffer.concat([start(PROXY, addressBlock(facts).family, bytes.length), bytes]);
  if (facts.crc32c) header.writeUInt32BE(crc32c(header), START + checksumAt);
  return header;
}

function start(versionAndCommand: number, family: number, length: number): Buffer {
  const bytes = Buffer.alloc(START);
  V2_SIGNATURE.copy(bytes);
  bytes[12] = versionAndCommand;
  bytes[13] = family;
  bytes.writeUInt16BE(length, 14);
  return bytes;
}

function addressBlock({ source, destination }: Addresses): { family: number; bytes: Buffer } {
  const [from, to] = sameFamily(source.address, destination.address);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return { family: from.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6, bytes: Buffer.concat([from, to, ports]) };
}

function sameFamily(from: Uint8Array, to: Uint8Array): [Uint8Array, Uint8Array] {
  return from.length === to.length ? [from, to] : [asV6(from), asV6(to)];
}

/** IPv4 mapped into IPv6 (RFC 4291 2.5.5.2). */
function asV6(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const mapped = new Uint8Array(16).fill(0xff, 10, 12);
  mapped.set(address, 12);
  return mapped;
}

const TLV_HEAD = 3;

function tlv(type: number, value: Uint8Array): Buffer {
  const head = Buffer.from([type, value.length >> 8, value.length & 0xff]);
  return Buffer.concat([head, value]);
}

/** Nothing for an empty text. */
function text(type: number, value: string): Buffer {
  return value === "" ? NOTHING : tlv(type, Buffer.from(value, "utf8"));
}

const NOTHING = Buffer.alloc(0);
