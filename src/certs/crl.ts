// Certificate revocation lists (RFC 5280 5): read, and accepted only when signed by an authority whose certificates they revoke.

import { constants, type KeyObject, verify, type X509Certificate } from "node:crypto";
import { type Element, expect, Malformed, parse, TAG } from "./ber.ts";
import { canonicalName, extensionsOf, identityOf, serialOf } from "./x509.ts";

/** Larger ones are read by nobody's edge proxy. Bytes. */
export const MAX_CRL_BYTES = 32 * 1024 * 1024;

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const BIT_STRING = 0x03;

/** Critical extensions that change nothing for us, and those that make it a list of another kind (RFC 5280 5.2). */
const DELTA = "2.5.29.27";
const DISTRIBUTION_POINT = "2.5.29.28";
const INDIRECT = 0x84;

/** Hashes of signature algorithms; null is one that has its own (Ed25519). */
const SIGNATURES: Record<string, string | null> = {
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.1": "sha1",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null,
};
const RSASSA_PSS = "1.2.840.113549.1.1.10";
const PSS_HASHES: Record<string, string> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

export interface RevocationList {
  /** As `CertificateIdentity.issuer` has it. */
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  /** When the next one is due; after it this one says nothing. null: not said. */
  readonly nextUpdate: number | null;
  /** As `CertificateIdentity.serial` has them. */
  readonly serials: readonly string[];
}

export type LoadedLists = { kind: "ok"; lists: RevocationList[] } | { kind: "error"; message: string };

/** Reads one list in DER, or one or more in PEM. Each must be signed by one of `authorities`. Total: bad bytes are an error. */
export function loadRevocationLists(bytes: Buffer, authorities: readonly X509Certificate[]): LoadedLists {
  if (bytes.length > MAX_CRL_BYTES) return { kind: "error", message: `is larger than ${MAX_CRL_BYTES} bytes` };
  const ders = bytes.includes("-----BEGIN") ? fromPem(bytes) : [bytes];
  if (ders.length === 0) return { kind: "error", message: "holds no revocation list (-----BEGIN X509 CRL-----)" };
  const lists: RevocationList[] = [];
  for (const der of ders) {
    try {
      const { list, isSignedBy } = read(der);
      const signers = authorities.filter((authority) => identityOf(authority.raw)?.subject === list.issuer);
      if (signers.length === 0)
        return { kind: "error", message: "the revocation list is of an authority that is not among caFiles" };
      if (!signers.some((authority) => isSignedBy(authority.publicKey)))
        return { kind: "error", message: "the revocation list's signature is wrong: its authority did not sign it" };
      lists.push(list);
    } catch (error) {
      const why = error instanceof Unsupported ? error.message : "it is damaged or truncated";
      return { kind: "error", message: `the revocation list cannot be read: ${why}` };
    }
  }
  return { kind: "ok", lists };
}

class Unsupported extends Error {}

const PEM_BLOCK = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g;

function fromPem(bytes: Buffer): Buffer[] {
  return [...bytes.toString("latin1").matchAll(PEM_BLOCK)].map((match) => Buffer.from(match[1]!, "base64"));
}

function read(der: Buffer): { list: RevocationList; isSignedBy: (key: KeyObject) => boolean } {
  const [tbs, algorithm, signature] = expect(parse(der), TAG.sequence, "the list").children();
  const fields = expect(tbs, TAG.sequence, "the list").children();
  if (fields[0]?.tag === TAG.integer) fields.shift(); // the version
  const [, issuer, thisUpdate, ...rest] = fields;
  const next = isTime(rest[0]) ? timeOf(rest.shift()) : null;
  const revoked = rest[0]?.tag === TAG.sequence ? rest.shift()!.children() : [];
  for (const { oid, critical, value } of extensionsOf(rest[0])) {
    if (oid === DELTA) throw new Unsupported("it is a delta list, and Sluice needs the complete one");
    if (oid === DISTRIBUTION_POINT) {
      if (
        parse(value)
          .children()
          .some((field) => field.tag === INDIRECT && field.content[0] !== 0)
      )
        throw new Unsupported("it is an indirect list, which Sluice does not read");
    } else if (critical) throw new Unsupported(`it has a critical extension that Sluice does not know (${oid})`);
  }
  const list = {
    issuer: canonicalName(issuer),
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: next,
    serials: revoked.map((entry) => serialOf(expect(entry, TAG.sequence, "an entry").children()[0])),
  };
  const signed = tbs!.whole;
  const bits = expect(signature, BIT_STRING, "the signature").content.subarray(1);
  return { list, isSignedBy: (key) => isSigned(algorithm, signed, bits, key) };
}

function isSigned(algorithm: Element | undefined, signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  const [oidElement, parameters] = expect(algorithm, TAG.sequence, "the signature's algorithm").children();
  const oid = expect(oidElement, TAG.oid, "the signature's algorithm").oid();
  if (oid === RSASSA_PSS) {
    const [hash] = (parameters?.children() ?? []).filter((field) => field.tag === TAG.context(0));
    const name = hash && PSS_HASHES[expect(hash.children()[0]?.children()[0], TAG.oid, "the hash").oid()];
    if (name === undefined) throw new Unsupported("it is signed with a hash that Sluice does not know");
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(name, signed, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_AUTO }, signature);
  }
  const hash = SIGNATURES[oid];
  if (hash === undefined) throw new Unsupported(`it is signed with an algorithm that Sluice does not know (${oid})`);
  return verify(hash, signed, key, signature);
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === UTC_TIME || element?.tag === GENERALIZED_TIME;
}

/** YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ (RFC 5280 4.1.2.5). @throws Malformed */
function timeOf(element: Element | undefined): number {
  if (element === undefined || !isTime(element)) throw new Malformed("a time is missing");
  const text = element.content.toString("latin1");
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) throw new Malformed("a time cannot be read");
  const [year, ...rest] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  const [month, day, hour, minute, second] = rest;
  const full = element.tag === GENERALIZED_TIME ? year : year < 50 ? 2000 + year : 1900 + year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}
