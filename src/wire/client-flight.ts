// What a client sends in the clear while a handshake goes on, behind its hello: an alert, and before TLS 1.3 its certificates. The TLS
// library reads the same bytes; this is a look at them from the side, which may see nothing and must never be wrong.

import { ALERT_RECORD, FATAL } from "./alert.ts";

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const MAX_RECORD = 16 * 1024;
const HANDSHAKE_RECORD = 22;
const CERTIFICATE = 11;
/** Bytes of certificates that are looked at; BoringSSL takes 100 kB (SSL_MAX_CERT_LIST_DEFAULT). */
const MAX_CERTIFICATES = 100 * 1024;
/** And records that they may come in: each is joined anew when the next has come. */
const MAX_RECORDS = 64;

/**
 * The fatal alert that stands in the clear in a chunk which begins with a record; 0: none. OpenSSL sends it so in TLS 1.3 too, as long
 * as it has sent nothing encrypted, and BoringSSL then knows no more than that a record was too short.
 */
export function plainAlertIn(chunk: Uint8Array): number {
  for (let at = 0; at + RECORD_HEADER + 2 <= chunk.length; ) {
    const length = (chunk[at + 3]! << 8) | chunk[at + 4]!;
    if (chunk[at] === ALERT_RECORD && length === 2) {
      if (chunk[at + RECORD_HEADER] === FATAL) return chunk[at + RECORD_HEADER + 1]!;
    }
    at += RECORD_HEADER + length;
  }
  return 0;
}

export type FlightResult =
  | { readonly kind: "more" }
  /** In DER, the client's own first; none: it has none. */
  | { readonly kind: "certificates"; readonly certificates: readonly Uint8Array[] }
  /** It sends something else, or what cannot be read. */
  | { readonly kind: "none" };

const NONE: FlightResult = { kind: "none" };
/** Incomplete; nothing new can be said before so many bytes in all have arrived. */
type Need = { readonly kind: "need"; readonly bytes: number };

/** Collects the Certificate message of a handshake before TLS 1.3 (RFC 5246 7.4.2): the first that the client sends when it is asked. */
export class CertificateReader {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #need = RECORD_HEADER;
  #result: FlightResult = { kind: "more" };

  /** After a result other than "more" that one is returned again. Keeps a reference to `chunk` until then. */
  push(chunk: Uint8Array): FlightResult {
    if (this.#result.kind !== "more") return this.#result;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#need) return this.#result;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const result = read(bytes);
    if (result.kind === "need") {
      this.#chunks = [bytes];
      this.#need = result.bytes;
    } else {
      this.#chunks = [];
      this.#result = result;
    }
    return this.#result;
  }
}

/** Joins the fragments in whole records, until the message is there. */
function read(bytes: Uint8Array): FlightResult | Need {
  const fragments: Uint8Array[] = [];
  let gathered = 0;
  for (let at = 0; fragments.length < MAX_RECORDS; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return NONE;
    if (at + RECORD_HEADER > bytes.length) return { kind: "need", bytes: at + RECORD_HEADER };
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (length === 0 || length > MAX_RECORD) return NONE;
    const end = at + RECORD_HEADER + length;
    if (end > bytes.length) return { kind: "need", bytes: end };
    fragments.push(bytes.subarray(at + RECORD_HEADER, end));
    gathered += length;
    at = end;
    if (gathered < MESSAGE_HEADER) continue;
    const message = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
    const total = MESSAGE_HEADER + u24(message, 1);
    if (message[0] !== CERTIFICATE || total > MAX_CERTIFICATES) return NONE;
    if (gathered >= total) return listOf(message.subarray(MESSAGE_HEADER, total));
  }
  return NONE;
}

function listOf(body: Uint8Array): FlightResult {
  if (body.length < 3 || u24(body, 0) !== body.length - 3) return NONE;
  const certificates: Uint8Array[] = [];
  for (let at = 3; at < body.length; ) {
    if (at + 3 > body.length) return NONE;
    const end = at + 3 + u24(body, at);
    if (end > body.length || end === at + 3) return NONE;
    certificates.push(body.subarray(at + 3, end));
    at = end;
  }
  return { kind: "certificates", certificates };
}

function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}
