// Reads the TLS ClientHello that opens a connection, before anything is decided about it: which name, which protocols, or why not.
// A security boundary: what cannot be read is closed, never routed (a hello split over records once read as "no SNI" in Traefik,
// and so skipped the route's client authentication: CVE-2026-32305). One file, so that the whole boundary can be read in one go.

import type { Alert } from "./alert.ts";
import { commonPrefix, OPENINGS } from "./openings.ts";

/**
 * Bytes of the handshake message, with its 4-byte header. Measured: 364 bytes for a plain hello, 923 when the session ticket holds a
 * client certificate; an X25519MLKEM768 key share adds 1216. A client certificate of 15 kB makes a ticket, and so a hello, of 16 kB
 * and more. BoringSSL takes 100 kB (max_cert_list) where it asks for client certificates, and 16 kB (kMaxMessageLen) where it does not.
 */
export const MAX_HELLO_MESSAGE = 64 * 1024;
/**
 * Bytes of record headers, 5 for each record. Room for 819 records: a usual hello of 517 bytes may come in one-byte records, as
 * some test tools and censorship-evading clients send it, but the longest may not (that would be 80 kB of headers).
 */
export const MAX_HELLO_HEADERS = 4 * 1024;
/** Most bytes that can be outstanding in "more": what one unfinished connection can make us hold. */
export const MAX_HELLO_BYTES = MAX_HELLO_MESSAGE + MAX_HELLO_HEADERS;

/** Why a connection is closed before it is routed. At once the log field and the metric label. */
export type HelloReject =
  /** An SSLv2 or SSLv2-compatible hello, from a client that is decades old. */
  | "sslv2"
  /** MQTT without TLS: the client has the right host and the wrong port, or has TLS off. */
  | "plain-mqtt"
  /** A plain HTTP request. */
  | "http"
  /** A PROXY protocol header (v1 or v2) where none is expected. */
  | "proxy-header"
  /** Anything else that is no TLS handshake. */
  | "not-tls"
  /** Over MAX_HELLO_MESSAGE or MAX_HELLO_HEADERS; known from the announced length, without waiting for the bytes. */
  | "hello-too-large"
  /** TLS that breaks its own rules. */
  | "bad-hello";

/** What a hello offers. GREASE values (RFC 8701) are left out of the number lists. */
export interface HelloOffer {
  /** Protocols in the client's order. Bytes that are not printable ASCII, space and "\" are written \xNN, so it is safe to log. */
  alpn: string[];
  /** It is an ACME tls-alpn-01 challenge (RFC 8737): to be answered here, never to reach a broker. */
  acme: boolean;
  /** 0x0303 in all hellos from TLS 1.2 on. */
  legacyVersion: number;
  /** supported_versions; empty in hellos before TLS 1.3. */
  versions: number[];
  /** signature_algorithms; empty if the client sent none. Tells whether it can verify an ECDSA certificate. */
  signatureAlgorithms: number[];
  /** supported_groups; empty if the client sent none. Before TLS 1.3 they also name the curves of certificates (RFC 8422 5.1.1). */
  groups: number[];
  /** The most bytes of content that a record to this client may have (RFC 6066 4, RFC 8449); 0: it does not say. */
  maxRecord: number;
  /** It brings a session that it wants to resume (RFC 5077 3.2, RFC 8446 4.2.11). */
  offersSession: boolean;
  /** The kind of certificate that all its cipher suites of TLS 1.2 and before ask for; "any" if both, or it names none of these. */
  suites: "any" | "ecdsa" | "rsa";
}

export type HelloResult =
  /** Incomplete; nothing new can be said before `need` bytes in all have arrived. */
  | { kind: "more"; need: number }
  /** Asks for a name: lower-cased, without trailing dot, 1 to 255 of [a-z0-9_.:-]. */
  | ({ kind: "ok"; sni: string } & HelloOffer)
  /** A valid hello that names no server. */
  | ({ kind: "none" } & HelloOffer)
  /** `alert` is what TLS answers to such a hello; null for what is no TLS, and would not understand it. */
  | { kind: "bad"; reason: HelloReject; alert: Alert | null };

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const MAX_RECORD = 16 * 1024;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;

/**
 * Reads `bytes`, everything received so far. Total: any bytes give a result, nothing throws. Keeps no reference to `bytes`; copies
 * only to join a hello that spans records. Bytes after the record that completes the hello (early data) are not looked at.
 * RFC 8446 4.1.2 and 5.1, RFC 6066 3 (SNI), RFC 7301 (ALPN).
 */
export function parseClientHello(bytes: Uint8Array): HelloResult {
  if (bytes.length === 0) return more(1);
  if (bytes[0] !== HANDSHAKE_RECORD) return classifyStranger(bytes);

  let at = 0;
  let gathered = 0;
  let header = 0;
  let headerBytes = 0;
  let total = MAX_HELLO_MESSAGE;
  for (let records = 1; gathered < total; records++) {
    if (records * RECORD_HEADER > MAX_HELLO_HEADERS) return bad("hello-too-large", "illegal_parameter");
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return bad("bad-hello", "unexpected_message");
    // The minor version means nothing (RFC 8446 5.1: "MUST be ignored for all purposes"); another major one is no TLS.
    if (at + 1 < bytes.length && bytes[at + 1] !== 3)
      return records === 1 ? bad("not-tls", null) : bad("bad-hello", "protocol_version");
    if (at + RECORD_HEADER > bytes.length) return more(bytes.length + 1);
    const length = u16(bytes, at + 3);
    // RFC 8446 5.1 and 5.4: handshake messages have no zero-length fragments, and records of 2^14 at most.
    if (length === 0) return bad("bad-hello", "unexpected_message");
    if (length > MAX_RECORD) return bad("hello-too-large", "record_overflow");

    const start = at + RECORD_HEADER;
    const end = start + length;
    for (let i = start; headerBytes < MESSAGE_HEADER && i < end && i < bytes.length; i++) {
      header = (header << 8) | bytes[i]!;
      headerBytes++;
      if (headerBytes === 1 && header !== CLIENT_HELLO) return bad("bad-hello", "unexpected_message");
    }
    gathered += length;
    if (headerBytes === MESSAGE_HEADER) {
      total = MESSAGE_HEADER + (header & 0xffffff);
      if (total > MAX_HELLO_MESSAGE) return bad("hello-too-large", "illegal_parameter");
      // RFC 8446 5.1: a ClientHello ends where a record ends, since the keys may change after it.
      if (gathered > total) return bad("bad-hello", "unexpected_message");
    }
    if (end > bytes.length) return more(headerBytes < MESSAGE_HEADER ? bytes.length + 1 : end);
    at = end;
  }
  if (total === at - RECORD_HEADER) return parseMessage(bytes, RECORD_HEADER, at);
  return parseMessage(joinRecords(bytes, total), 0, total);
}

function joinRecords(bytes: Uint8Array, total: number): Uint8Array {
  const message = new Uint8Array(total);
  let from = 0;
  for (let filled = 0; filled < total; ) {
    const start = from + RECORD_HEADER;
    from = start + u16(bytes, from + 3);
    message.set(bytes.subarray(start, from), filled);
    filled += from - start;
  }
  return message;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function more(need: number): HelloResult {
  return { kind: "more", need };
}

function bad(reason: HelloReject, alert: Alert | null): HelloResult {
  return { kind: "bad", reason, alert };
}

/** What cannot be read as the message it says it is (RFC 8446 6.2). */
const UNREADABLE = bad("bad-hello", "decode_error");
/** What can be read, and says what no client may say. */
const FORBIDDEN = bad("bad-hello", "illegal_parameter");

const MQTT_CONNECT = 0x10;

/** Names what speaks something other than TLS, so that an operator sees "plain-mqtt" and not just a dead connection. */
function classifyStranger(bytes: Uint8Array): HelloResult {
  const first = bytes[0]!;
  if (first & 0x80) return classifySSLv2(bytes);
  if (first === MQTT_CONNECT) return classifyMQTT(bytes);
  let need = 0;
  for (const opening of OPENINGS) {
    const same = commonPrefix(bytes, 0, opening.bytes);
    if (same === opening.bytes.length) return bad(opening.protocol === "http" ? "http" : "proxy-header", null);
    // Still ambiguous: "P" begins POST, PUT, PATCH, PRI and PROXY.
    if (same === bytes.length) need = need || same + 1;
  }
  return need ? more(need) : bad("not-tls", null);
}

/** SSLv2 record (RFC 6101 appendix E): 15-bit length, message type 1, then version 0.2 or, in the compatible form, 3.x. */
function classifySSLv2(bytes: Uint8Array): HelloResult {
  if (bytes.length > 2 && bytes[2] !== CLIENT_HELLO) return bad("not-tls", null);
  if (bytes.length < 5) return more(bytes.length + 1);
  const isHello = bytes[3] === 3 || (bytes[3] === 0 && bytes[4] === 2);
  return isHello ? bad("sslv2", "protocol_version") : bad("not-tls", null);
}

const MQTT_NAMES = ["\0\x04MQTT", "\0\x06MQIsdp"].map((text) => new TextEncoder().encode(text));

/** CONNECT is type, remaining length in 1 to 4 bytes, protocol name: MQTT, or MQIsdp in 3.1 (MQTT 5.0, 3.1.2). */
function classifyMQTT(bytes: Uint8Array): HelloResult {
  let at = 1;
  while (at < bytes.length && at < 4 && bytes[at]! & 0x80) at++;
  if (at < bytes.length && bytes[at]! & 0x80) return bad("not-tls", null);
  at++;
  for (const name of MQTT_NAMES) {
    const same = commonPrefix(bytes, at, name);
    if (same === name.length) return bad("plain-mqtt", null);
    if (at + same >= bytes.length) return more(bytes.length + 1);
  }
  return bad("not-tls", null);
}

/** A position in length-prefixed data. A read past the end gives 0 and sets `failed` for good, so it is checked once per structure. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  failed = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Whether all was read and nothing was missing. */
  get done(): boolean {
    return !this.failed && this.at === this.end;
  }

  get has(): boolean {
    return !this.failed && this.at < this.end;
  }

  skip(count: number): void {
    if (count > this.end - this.at) this.failed = true;
    else this.at += count;
  }

  uint(size: 1 | 2): number {
    const start = this.at;
    this.skip(size);
    if (this.failed) return 0;
    return size === 1 ? this.bytes[start]! : u16(this.bytes, start);
  }

  /** A vector with a length prefix of `size` bytes; empty and failed too when this one has failed. */
  vector(size: 1 | 2): Cursor {
    const length = this.uint(size);
    const start = this.at;
    this.skip(length);
    const inner = new Cursor(this.bytes, start, this.failed ? start : start + length);
    inner.failed = this.failed;
    return inner;
  }

  get length(): number {
    return this.end - this.at;
  }
}

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_MAX_FRAGMENT_LENGTH = 1;
const EXTENSION_SUPPORTED_GROUPS = 10;
const EXTENSION_SIGNATURE_ALGORITHMS = 13;
const EXTENSION_ALPN = 16;
const EXTENSION_RECORD_SIZE_LIMIT = 28;
const EXTENSION_SESSION_TICKET = 35;
const EXTENSION_PRE_SHARED_KEY = 41;
const EXTENSION_SUPPORTED_VERSIONS = 43;

/** Works with positions instead of subarrays: one of those costs a microsecond, and a hello has twenty vectors. */
function parseMessage(bytes: Uint8Array, start: number, end: number): HelloResult {
  const hello = new Cursor(bytes, start + MESSAGE_HEADER, end);
  const legacyVersion = hello.uint(2);
  hello.skip(32);
  const sessionId = hello.vector(1);
  const ciphers = hello.vector(2);
  const compressions = hello.vector(1);
  if (hello.failed || sessionId.length > 32 || compressions.length === 0) return UNREADABLE;
  if (ciphers.length === 0 || ciphers.length % 2 !== 0) return UNREADABLE;

  const suites = readSuites(ciphers);
  const [versions, signatureAlgorithms, groups] = [[], [], []] as [number[], number[], number[]];
  const offer: HelloOffer = {
    alpn: [],
    acme: false,
    legacyVersion,
    versions,
    signatureAlgorithms,
    groups,
    maxRecord: 0,
    offersSession: false,
    suites,
  };
  // Before TLS 1.3 the extension block may be missing altogether (RFC 5246 7.4.1.2): a valid hello that names no server.
  if (hello.done) return { kind: "none", ...offer };

  const extensions = hello.vector(2);
  if (!hello.done) return UNREADABLE;
  const seen = new Set<number>();
  let sni: string | null = "";
  let fragment = 0;
  let record = 0;
  while (extensions.has) {
    const type = extensions.uint(2);
    const body = extensions.vector(2);
    // RFC 8446 4.2: no two of a kind. Two server names would be one for us and another for the broker behind.
    if (extensions.failed) return UNREADABLE;
    if (seen.has(type)) return FORBIDDEN;
    seen.add(type);
    if (type === EXTENSION_SERVER_NAME) {
      sni = readServerName(body);
      if (sni === null) return UNREADABLE;
    } else if (type === EXTENSION_ALPN) {
      if (!readProtocols(body, offer.alpn)) return UNREADABLE;
      offer.acme = offer.alpn.includes("acme-tls/1");
    } else if (type === EXTENSION_SUPPORTED_VERSIONS) {
      if (!readNumbers(body, 1, offer.versions)) return UNREADABLE;
    } else if (type === EXTENSION_SIGNATURE_ALGORITHMS) {
      if (!readNumbers(body, 2, offer.signatureAlgorithms)) return UNREADABLE;
    } else if (type === EXTENSION_SUPPORTED_GROUPS) {
      if (!readNumbers(body, 2, offer.groups)) return UNREADABLE;
    } else if (type === EXTENSION_MAX_FRAGMENT_LENGTH) {
      fragment = readFragmentLength(body);
    } else if (type === EXTENSION_RECORD_SIZE_LIMIT) {
      record = readRecordLimit(body);
    } else if (type === EXTENSION_PRE_SHARED_KEY || (type === EXTENSION_SESSION_TICKET && body.length > 0)) {
      // An empty ticket asks for one.
      offer.offersSession = true;
    }
  }
  if (extensions.failed) return UNREADABLE;
  // RFC 8449 5: of both, record_size_limit counts.
  offer.maxRecord = record || fragment;
  return sni === "" ? { kind: "none", ...offer } : { kind: "ok", sni, ...offer };
}

/** Suites that BoringSSL knows, by the kind of key that they authenticate with (RFC 5246 A.5, RFC 8422 6, RFC 5289 3, RFC 7905 2). */
const ECDSA_SUITES = [0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xcca9];
const RSA_SUITES = [
  0x000a, 0x002f, 0x0035, 0x003c, 0x003d, 0x009c, 0x009d, 0xc013, 0xc014, 0xc027, 0xc028, 0xc02f, 0xc030, 0xcca8,
];

function readSuites({ bytes, at, end }: Cursor): HelloOffer["suites"] {
  let ecdsa = false;
  let rsa = false;
  for (; at < end && !(ecdsa && rsa); at += 2) {
    const suite = (bytes[at]! << 8) | bytes[at + 1]!;
    ecdsa ||= ECDSA_SUITES.includes(suite);
    rsa ||= RSA_SUITES.includes(suite);
  }
  return ecdsa === rsa ? "any" : ecdsa ? "ecdsa" : "rsa";
}

/** max_fragment_length: 1 to 4 for 512 to 4096 bytes (RFC 6066 4). What says anything else says nothing: the library ignores it too. */
function readFragmentLength(body: Cursor): number {
  const code = body.uint(1);
  return body.done && code >= 1 && code <= 4 ? 256 << code : 0;
}

/** record_size_limit: 64 bytes at least (RFC 8449 4), of which TLS 1.3 takes one for the type of the content. */
function readRecordLimit(body: Cursor): number {
  const limit = body.uint(2);
  return body.done && limit >= 64 ? limit - 1 : 0;
}

const MAX_NAME = 255;

/**
 * The one host name of a server_name extension, or null if it is malformed. More than RFC 6066 allows in one point: an address
 * literal is taken as a name, since devices that know their broker by address send it and a route may name it. Less in another:
 * only what HostSNI() can say ([A-Za-z0-9_.:-]) is a name, because it goes on to logs, PROXY headers and file names.
 */
function readServerName(body: Cursor): string | null {
  const list = body.vector(2);
  const isHostName = list.uint(1) === 0;
  const name = list.vector(2);
  if (!body.done || !list.done || !isHostName) return null;
  return readHostName(name.bytes, name.at, name.end);
}

/** A host name as clients may send it, lower-cased and without trailing dot; null for bytes that are none. */
export function readHostName(bytes: Uint8Array, start: number, end: number): string | null {
  if (start === end || end - start > MAX_NAME) return null;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const letter = byte | 0x20;
    if (letter >= 0x61 && letter <= 0x7a && byte >= 0x41) continue;
    // "-" and "." up to "9", without the "/" between; then ":" and "_".
    if (!((byte >= 0x2d && byte <= 0x3a && byte !== 0x2f) || byte === 0x5f)) return null;
  }
  let text = latin1(bytes, start, end).toLowerCase();
  // One trailing dot only says that the name is absolute; what then is empty, or still ends in one, is no name.
  if (text.endsWith(".")) text = text.slice(0, -1);
  return text === "" || text.endsWith(".") ? null : text;
}

/** One flat string: built up character by character it would stay a chain of pieces for as long as the connection lives. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.prototype.latin1Slice.call(bytes, start, end);
}

function readProtocols(body: Cursor, into: string[]): boolean {
  const list = body.vector(2);
  if (!body.done || list.length === 0) return false;
  while (list.has) {
    const name = list.vector(1);
    if (name.failed || name.length === 0) return false;
    into.push(printable(name));
  }
  return list.done;
}

/** RFC 8701 puts protocols such as 0A 0A (two newlines) on the wire; escaped they cannot break a log line, and stay distinct. */
function printable(name: Cursor): string {
  let text = "";
  for (let at = name.at; at < name.end; at++) {
    const byte = name.bytes[at]!;
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

/** A list of 16-bit numbers whose length prefix has `size` bytes, without GREASE. */
function readNumbers(body: Cursor, size: 1 | 2, into: number[]): boolean {
  const list = body.vector(size);
  if (!body.done || list.length === 0 || list.length % 2 !== 0) return false;
  while (list.has) {
    const value = list.uint(2);
    const isGrease = (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
    if (!isGrease) into.push(value);
  }
  return true;
}

const NOTHING = new Uint8Array(0);
const FIRST_CAPACITY = 1024;

/**
 * Collects chunks until they hold a hello. When the first chunk holds it whole (the usual case) that chunk itself is `bytes` and
 * nothing is copied. What "more" can hold is bounded by MAX_HELLO_BYTES, in a buffer that doubles with what came, not with what a
 * header announces: an empty promise of 16 kB costs its sender nothing.
 */
export class HelloBuffer {
  #buffer: Uint8Array = NOTHING;
  #length = 0;
  #owned = false;
  #result: HelloResult = more(1);

  /**
   * Takes the next chunk. After a verdict the same one is returned again, but the bytes are kept for `bytes` (unless it is "bad"):
   * stop reading the socket by then, since nothing bounds them.
   */
  push(chunk: Uint8Array): HelloResult {
    const before = this.#result;
    if (before.kind === "bad" || chunk.length === 0) return before;
    this.#append(chunk);
    if (before.kind === "more" && this.#length >= before.need) {
      this.#result = parseClientHello(this.bytes);
      // Of what is closed nothing is kept; plain MQTT may have a route of its own, and its first bytes belong to the broker.
      if (this.#result.kind === "bad" && this.#result.reason !== "plain-mqtt") {
        this.#buffer = NOTHING;
        this.#length = 0;
        this.#owned = false;
      }
    }
    // A chunk that must wait is copied at once, so the caller may reuse its memory.
    if (this.#result.kind === "more" && !this.#owned) this.#grow(this.#length);
    return this.#result;
  }

  /** All that was received, for the TLS stack or a passthrough server; empty once the verdict is "bad", except for "plain-mqtt". A view, not a copy. */
  get bytes(): Uint8Array {
    return this.#buffer.length === this.#length ? this.#buffer : this.#buffer.subarray(0, this.#length);
  }

  /** Bytes of memory that wait here for the rest of a hello; 0 when the first chunk held it whole. */
  get held(): number {
    return this.#owned ? this.#buffer.length : 0;
  }

  #append(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#buffer = chunk;
      this.#length = chunk.length;
      return;
    }
    const length = this.#length + chunk.length;
    if (!this.#owned || length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  #grow(least: number): void {
    let capacity = FIRST_CAPACITY;
    while (capacity < least) capacity *= 2;
    const larger = new Uint8Array(capacity);
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
    this.#owned = true;
  }
}
