// Certificates and signing requests, written and signed (RFC 5280, RFC 2986). Those of this program alone: a few forms, and no others.

import { createHash, createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { parse } from "../asn1/ber.ts";
import { bits, der, dottedOid, integer, NULL, octets, sequence, set, TRUE, tagged, time, utf8 } from "../asn1/der.ts";
import { parseAddress } from "../ip/address.ts";
import { GENERAL, partsOf } from "./x509.ts";

const OID = {
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  extensionRequest: "1.2.840.113549.1.9.14",
} as const;

/** Who issues: the name that its certificate has as the subject, in DER, and its key. */
export interface Issuer {
  readonly name: Buffer;
  readonly key: KeyObject;
}

export interface CertificateFields {
  /** In DER; see `commonName`. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly Buffer[];
}

/** A certificate of version 3 with a random serial number, in PEM. */
export function writeCertificate(issuer: Issuer, fields: CertificateFields): string {
  const body = sequence(
    tagged(0, integer(2)),
    der(0x02, serial()),
    signatureAlgorithm(issuer.key),
    issuer.name,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    publicKeyInfo(fields.publicKey),
    tagged(3, sequence(...fields.extensions)),
  );
  return new X509Certificate(signed(body, issuer.key)).toString();
}

/** A PKCS#10 request to certify the key, in DER. */
export function writeRequest(subject: Buffer, key: KeyObject, extensions: readonly Buffer[]): Buffer {
  const wish = sequence(dottedOid(OID.extensionRequest), set(sequence(...extensions)));
  return signed(sequence(integer(0), subject, publicKeyInfo(createPublicKey(key)), tagged(0, wish)), key);
}

/** A distinguished name of one part; of none without it. */
export function commonName(text?: string): Buffer {
  return text === undefined ? sequence() : sequence(set(sequence(dottedOid(OID.commonName), utf8(text))));
}

/** An extension; `value` is in DER. */
export function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(dottedOid(oid), ...(critical ? [TRUE] : []), octets(value));
}

/** An authority for end certificates alone. */
export const isAuthority = (): Buffer => extension(OID.basicConstraints, sequence(TRUE, integer(0)), true);
export const isNoAuthority = (): Buffer => extension(OID.basicConstraints, sequence());
/** keyCertSign and cRLSign, of nine bits from the left. */
export const forIssuing = (): Buffer => extension(OID.keyUsage, der(0x03, Buffer.from([1, 0x06])), true);
/** digitalSignature */
export const forSigning = (): Buffer => extension(OID.keyUsage, der(0x03, Buffer.from([7, 0x80])), true);
export const forServers = (): Buffer => extension(OID.extendedKeyUsage, sequence(dottedOid(OID.serverAuth)));

/** DNS names and IP addresses. */
export function alternativeNames(names: readonly string[]): Buffer {
  const general = names.map((name) => {
    const address = parseAddress(name);
    return address === null ? der(GENERAL.dns, Buffer.from(name)) : der(GENERAL.ip, address);
  });
  return extension(OID.subjectAltName, sequence(...general));
}

export const subjectKeyIdentifier = (key: KeyObject): Buffer =>
  extension(OID.subjectKeyIdentifier, octets(keyIdentifier(key)));

/** What the issuer's certificate calls its key: verifiers compare the two. */
export function authorityKeyIdentifier(issuer: X509Certificate): Buffer {
  const own = partsOf(issuer.raw).extensions.find(({ oid }) => oid === OID.subjectKeyIdentifier);
  const identifier = own === undefined ? keyIdentifier(issuer.publicKey) : parse(own.value).octets();
  return extension(OID.authorityKeyIdentifier, sequence(der(0x80, identifier)));
}

/** SHA-1 of the key's bits (RFC 5280 4.2.1.2): a name, which secures nothing. */
function keyIdentifier(key: KeyObject): Buffer {
  const [, value] = parse(publicKeyInfo(key)).children();
  // The first byte says how many bits are unused.
  return createHash("sha1").update(value!.content.subarray(1)).digest();
}

/** Positive, and of full length (RFC 5280 4.1.2.2). */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

const publicKeyInfo = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" }) as Buffer;

function signed(body: Buffer, key: KeyObject): Buffer {
  return sequence(body, signatureAlgorithm(key), bits(sign(digestOf(key), body, key)));
}

const isP384 = (key: KeyObject): boolean => key.asymmetricKeyDetails?.namedCurve === "secp384r1";
const digestOf = (key: KeyObject): string => (isP384(key) ? "sha384" : "sha256");

/** ecdsa-with-SHA256 and -SHA384 (RFC 5758 3.2), sha256WithRSAEncryption (RFC 4055 5). */
function signatureAlgorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "rsa") return sequence(dottedOid("1.2.840.113549.1.1.11"), NULL);
  return sequence(dottedOid(isP384(key) ? "1.2.840.10045.4.3.3" : "1.2.840.10045.4.3.2"));
}
