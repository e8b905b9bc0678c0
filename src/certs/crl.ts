// Certificate revocation lists (RFC 5280 5): read, and accepted only when signed by an authority whose certificates they revoke.

import { constants, type KeyObject, type VerifyKeyObjectInput, verify, type X509Certificate } from "node:crypto";
import { type Element, expect, Malformed, parse, TAG } from "../asn1/ber.ts";
import { distinguishedName } from "./details.ts";
import { looksLikePem, readPem } from "./pem-blocks.ts";
import { canonicalName, extensionList, extensionsOf, identityOf, serialOf } from "./x509.ts";

/** Larger ones are read by nobody's edge proxy. Bytes. */
export const MAX_CRL_BYTES = 32 * 1024 * 1024;

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const BIT_STRING = 0x03;

/** Extensions that make it a list of another kind (RFC 5280 5.2). */
const DELTA = "2.5.29.27";
const DISTRIBUTION_POINT = "2.5.29.28";
/** Fields of the distribution point (RFC 5280 5.2.5) by their tags. */
const POINT = {
  name: 0xa0,
  usersOnly: 0x81,
  authoritiesOnly: 0x82,
  someReasons: 0x83,
  indirect: 0x84,
  attributes: 0x85,
};

/** Signature algorithms by their kind of key and hash; null is one that has its own. */
const SIGNATURES: Record<string, { readonly key: string; readonly hash: string | null }> = {
  "1.2.840.113549.1.1.5": { key: "rsa", hash: "sha1" },
  "1.2.840.113549.1.1.11": { key: "rsa", hash: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", hash: "sha384" },
  "1.2.840.113549.1.1.13": { key: "rsa", hash: "sha512" },
  "1.2.840.10045.4.1": { key: "ec", hash: "sha1" },
  "1.2.840.10045.4.3.2": { key: "ec", hash: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", hash: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", hash: "sha512" },
  "1.3.101.112": { key: "ed25519", hash: null },
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
  /** It covers users' certificates alone, and says nothing about authorities. */
  readonly usersOnly: boolean;
  /** The distribution point that it was made for, in hexadecimal; null: none. */
  readonly point: string | null;
  /** As `CertificateIdentity.serial` has them. */
  readonly serials: readonly string[];
}

export type LoadedLists = { kind: "ok"; lists: RevocationList[] } | { kind: "error"; message: string };

/** Reads one list in DER, or one or more in PEM. Each must be signed by one of `authorities`. Total: bad bytes are an error. */
export function loadRevocationLists(bytes: Buffer, authorities: readonly X509Certificate[]): LoadedLists {
  if (bytes.length > MAX_CRL_BYTES) return { kind: "error", message: `is larger than ${MAX_CRL_BYTES} bytes` };
  const ders = looksLikePem(bytes) ? fromPem(bytes) : [bytes];
  if (!Array.isArray(ders)) return { kind: "error", message: ders.message };
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

export interface DescribedList {
  /** RFC 4514. */
  readonly issuer: string;
  readonly list: RevocationList;
}

/** What a list in DER says, whoever signed it: for people. Total: bad bytes are an error. */
export function describeRevocationList(
  der: Buffer,
): DescribedList | { readonly kind: "error"; readonly message: string } {
  try {
    const { list, issuer } = read(der);
    return { issuer: distinguishedName(issuer), list };
  } catch (error) {
    return { kind: "error", message: error instanceof Unsupported ? error.message : "it is damaged or truncated" };
  }
}

class Unsupported extends Error {}

/** A file that is half written must not pass for one with fewer lists. */
function fromPem(bytes: Buffer): Buffer[] | { readonly message: string } {
  const { blocks, flaw } = readPem(bytes.toString("latin1"));
  if (flaw !== null) return { message: `line ${flaw.line}: ${flaw.message}` };
  const lists = blocks.filter(({ label }) => label === "X509 CRL");
  if (lists.length === 0) return { message: "holds no revocation list (-----BEGIN X509 CRL-----)" };
  return lists.map(({ body }) => Buffer.from(body, "base64"));
}

/** The list is the whole of the file: what stands behind it would be ignored. @throws Malformed */
function whole(der: Buffer): Element {
  const list = expect(parse(der), TAG.sequence, "the list");
  if (list.whole.length !== der.length) throw new Malformed("something stands behind the list");
  return list;
}

function read(der: Buffer): {
  list: RevocationList;
  issuer: Element | undefined;
  isSignedBy: (key: KeyObject) => boolean;
} {
  const [tbs, algorithm, signature] = whole(der).children();
  const fields = expect(tbs, TAG.sequence, "the list").children();
  if (fields[0]?.tag === TAG.integer) fields.shift(); // the version
  const [signedAlgorithm, issuer, thisUpdate, ...rest] = fields;
  if (!signedAlgorithm || !algorithm || !signedAlgorithm.whole.equals(algorithm.whole))
    throw new Malformed("two algorithms are named");
  const next = isTime(rest[0]) ? timeOf(rest.shift()) : null;
  const revoked = rest[0]?.tag === TAG.sequence ? rest.shift()!.children() : [];
  if (rest.length > 0) expect(rest[0], TAG.context(0), "the extensions");
  let scope = { usersOnly: false, point: null as string | null };
  for (const { oid, critical, value } of extensionsOf(rest[0])) {
    if (oid === DELTA) throw new Unsupported("it is a delta list, and Sluice needs the complete one");
    if (oid === DISTRIBUTION_POINT) scope = scopeOf(value);
    else if (critical) throw new Unsupported(`it has a critical extension that Sluice does not know (${oid})`);
  }
  const list = {
    issuer: canonicalName(issuer),
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: next,
    ...scope,
    serials: revoked.map(serialOfEntry),
  };
  const signed = tbs!.whole;
  const bits = expect(signature, BIT_STRING, "the signature").content;
  if (bits[0] !== 0) throw new Malformed("the signature is no whole number of bytes");
  return { list, issuer, isSignedBy: (key) => isSigned(algorithm, signed, bits.subarray(1), key) };
}

/** What the list covers, when it is enough to go by. @throws Unsupported */
function scopeOf(value: Buffer): { usersOnly: boolean; point: string | null } {
  const fields = expect(parse(value), TAG.sequence, "the distribution point").children();
  const has = (tag: number): boolean => fields.some((field) => field.tag === tag && field.content.some((byte) => byte));
  if (has(POINT.indirect)) throw new Unsupported("it is an indirect list, which Sluice does not read");
  if (has(POINT.authoritiesOnly)) throw new Unsupported("it covers authorities alone, and no client");
  if (has(POINT.attributes)) throw new Unsupported("it covers attribute certificates, and no client");
  if (fields.some((field) => field.tag === POINT.someReasons))
    throw new Unsupported("it covers some reasons alone, and Sluice needs the complete one");
  const name = fields.find((field) => field.tag === POINT.name);
  return { usersOnly: has(POINT.usersOnly), point: name?.content.toString("hex") ?? null };
}

/** What is critical in an entry may say that it is of another authority (RFC 5280 5.3). @throws Unsupported */
function serialOfEntry(entry: Element): string {
  const [serial, , extensions] = expect(entry, TAG.sequence, "an entry").children();
  for (const { oid, critical } of extensions === undefined ? [] : extensionList(extensions))
    if (critical) throw new Unsupported(`an entry has a critical extension that Sluice does not know (${oid})`);
  return serialOf(serial);
}

function isSigned(algorithm: Element | undefined, signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  const [oidElement, parameters] = expect(algorithm, TAG.sequence, "the signature's algorithm").children();
  const oid = expect(oidElement, TAG.oid, "the signature's algorithm").oid();
  if (oid === RSASSA_PSS) {
    const [hash] = (parameters?.children() ?? []).filter((field) => field.tag === TAG.context(0));
    const name = hash && PSS_HASHES[expect(hash.children()[0]?.children()[0], TAG.oid, "the hash").oid()];
    if (name === undefined) throw new Unsupported("it is signed with a hash that Sluice does not know");
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
    return key.asymmetricKeyType?.startsWith("rsa") === true && verifies(name, signed, { key, ...pss }, signature);
  }
  const wanted = SIGNATURES[oid];
  if (wanted === undefined) throw new Unsupported(`it is signed with an algorithm that Sluice does not know (${oid})`);
  return key.asymmetricKeyType === wanted.key && verifies(wanted.hash, signed, { key }, signature);
}

/** BoringSSL throws at some signatures and keys; another authority of the same name may still have signed it. */
function verifies(hash: string | null, signed: Buffer, key: VerifyKeyObjectInput, signature: Buffer): boolean {
  try {
    return verify(hash, signed, key, signature);
  } catch {
    return false;
  }
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === UTC_TIME || element?.tag === GENERALIZED_TIME;
}

const SHORT_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const LONG_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ (RFC 5280 4.1.2.5). @throws Malformed */
function timeOf(element: Element | undefined): number {
  if (element === undefined || !isTime(element)) throw new Malformed("a time is missing");
  const text = element.content.toString("latin1");
  const match = (element.tag === UTC_TIME ? SHORT_TIME : LONG_TIME).exec(text);
  if (match === null) throw new Malformed("a time cannot be read");
  const [year, ...rest] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  const [month, day, hour, minute, second] = rest;
  const full = element.tag === GENERALIZED_TIME ? year : year < 50 ? 2000 + year : 1900 + year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}
