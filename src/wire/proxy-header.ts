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
  } | null;
}

/** `refuse`: such a header would tell the server something wrong, so the client must not reach it. */
export type ProxyWritten =
  | { readonly kind: "ok"; readonly bytes: Buffer }
  | { readonly kind: "refuse"; readonly reason: CommonNameFault };

/** Why a client's common name cannot be told. */
export type CommonNameFault = "common-name-unusable" | "common-name-too-long";

type Addresses = Pick<ProxyFacts, "source" | "destination">;

const V2_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const START = 16;
/** Version 2, and whether somebody is spoken for. */
const [LOCAL, PROXY] = [0x20, 0x21];
const [TCP_OVER_IPV4, TCP_OVER_IPV6] = [0x11, 0x21];

/** Version 1. Never UNKNOWN: no form of it suits all receivers. Addresses of two families are both written as IPv6. */
export function writeProxyLine({ source, destination }: Addresses): Buffer {
  const [from, to] = sameFamily(source.address, destination.address);
  const family = from.length === 4 ? "TCP4" : "TCP6";
  return Buffer.from(`PROXY ${family} ${formatIp(from)} ${formatIp(to)} ${source.port} ${destination.port}\r\n`);
}

/**
 * Version 2 for a connection of Sluice's own, such as a check. The addresses are its own ends: they count for nothing (2.2), but Mosquitto
 * 2.1 closes a LOCAL header without them, and without a word.
 */
export function writeLocalHeader(ends: Addresses): Buffer {
  const draft = new Draft();
  return draft.finish(putAddresses(draft, ends), LOCAL);
}

/** The optional parts that leave, one after another, until the rest fits. */
const DROP_ORDER = ["uniqueId", "alpn", "cipher", "authority", "version"] as const;
type Optional = (typeof DROP_ORDER)[number];

/** Version 2. Types in ascending order. The common name never leaves: a server may take it for the client's identity. */
export function writeProxyHeader(facts: ProxyFacts): ProxyWritten {
  const commonName = facts.tls?.certificate?.commonName ?? null;
  // A server would cut it at NUL, or write a line of its own into its log; and half of a surrogate pair has no UTF-8.
  if (commonName !== null && !isFitForName(commonName)) return { kind: "refuse", reason: "common-name-unusable" };
  for (let left = 0; left <= DROP_ORDER.length; left++) {
    const bytes = headerWithout(DROP_ORDER.slice(0, left), facts);
    if (bytes !== null) return { kind: "ok", bytes };
  }
  return { kind: "refuse", reason: "common-name-too-long" };
}

/** null: the rest does not fit. */
function headerWithout(dropped: readonly Optional[], facts: ProxyFacts): Buffer | null {
  const kept = (part: Optional, value: string) => (dropped.includes(part) ? "" : value);
  const { uniqueId, tls } = facts;
  const draft = new Draft();
  const family = putAddresses(draft, facts);
  draft.putText(TLV.alpn, kept("alpn", facts.alpn));
  draft.putText(TLV.authority, kept("authority", facts.authority));
  const checksumAt = draft.length + TLV_HEAD;
  if (facts.crc32c) draft.put(TLV.crc32c, NO_CHECKSUM);
  if (uniqueId !== null && !dropped.includes("uniqueId")) draft.put(TLV.uniqueId, uniqueId);
  if (tls !== null) putSsl(draft, tls, kept);
  if (draft.isTooLong) return null;
  const header = draft.finish(family);
  // It is over the whole header, with zeros in its own place (2.2.3).
  if (facts.crc32c) header.writeUInt32BE(crc32c(header), checksumAt);
  return header;
}

/** 2.2.5: PP2_CLIENT_SSL, and with a certificate CERT_CONN on the connection that showed it, CERT_SESS always. */
const [SSL, CERT_CONN, CERT_SESS] = [0x01, 0x02, 0x04];
/** Any value but 0 says that nothing was verified. */
const NOT_VERIFIED = 1;

function putSsl(draft: Draft, tls: ProxyTlsFacts, kept: (part: Optional, value: string) => string): void {
  const { certificate, resumed } = tls;
  const head = Buffer.alloc(5);
  head[0] = certificate === null ? SSL : SSL | CERT_SESS | (resumed ? 0 : CERT_CONN);
  head.writeUInt32BE(certificate === null ? NOT_VERIFIED : certificate.verify, 1);
  const from = draft.length;
  draft.put(TLV.ssl, head);
  draft.putText(TLV.sslVersion, kept("version", tls.version));
  draft.putText(TLV.sslCn, certificate?.commonName ?? "");
  draft.putText(TLV.sslCipher, kept("cipher", tls.cipher));
  draft.endAt(from);
}

/** @returns the family that they are of. */
function putAddresses(draft: Draft, { source, destination }: Addresses): number {
  const [from, to] = sameFamily(source.address, destination.address);
  draft.append(from);
  draft.append(to);
  draft.append(Buffer.from([source.port >> 8, source.port & 0xff, destination.port >> 8, destination.port & 0xff]));
  return from.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
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
const NO_CHECKSUM = new Uint8Array(4);

/** A header of version 2 in the making, in one piece of memory. When something has not fitted it is of no use any more. */
class Draft {
  readonly #bytes = Buffer.allocUnsafe(START + MAX_PAYLOAD);
  length = START;
  isTooLong = false;

  append(bytes: Uint8Array): void {
    if (!this.#hasRoom(bytes.length)) return;
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  put(type: number, value: Uint8Array): void {
    if (!this.#begin(type, value.length)) return;
    this.append(value);
  }

  /** Nothing for an empty text. */
  putText(type: number, value: string): void {
    if (value === "" || !this.#begin(type, Buffer.byteLength(value))) return;
    this.length += this.#bytes.write(value, this.length);
  }

  /** The part that begins there has all that came since. */
  endAt(from: number): void {
    if (!this.isTooLong) this.#bytes.writeUInt16BE(this.length - from - TLV_HEAD, from + 1);
  }

  /** Puts the fixed part before the rest. */
  finish(family: number, command = PROXY): Buffer {
    V2_SIGNATURE.copy(this.#bytes);
    this.#bytes[12] = command;
    this.#bytes[13] = family;
    this.#bytes.writeUInt16BE(this.length - START, 14);
    return this.#bytes.subarray(0, this.length);
  }

  #begin(type: number, length: number): boolean {
    if (!this.#hasRoom(TLV_HEAD + length)) return false;
    this.#bytes[this.length] = type;
    this.#bytes.writeUInt16BE(length, this.length + 1);
    this.length += TLV_HEAD;
    return true;
  }

  #hasRoom(length: number): boolean {
    if (this.length + length > START + MAX_PAYLOAD) this.isTooLong = true;
    return !this.isTooLong;
  }
}
