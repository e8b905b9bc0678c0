// Certificates and revocation lists (RFC 5280), signed. What is in them is decided here; names have been checked before.

import { createHash, createPublicKey, type KeyObject, randomBytes, type X509Certificate } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { partsOf } from "../certs/x509.ts";
import { signatureOf } from "./keys.ts";
import type { AlternativeName, NamePart, Subject } from "./names.ts";

/** Who signs: a certificate and its private key. */
export interface Signer {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export interface Validity {
  /** Milliseconds since the epoch; certificates have whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
const CRL_NUMBER = "2.5.29.20";
const KEY_IDENTIFIER_BYTES = 20;
const SERIAL_BYTES = 16;
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/;

/** The library costs a tenth of a second: only who issues something loads it. */
async function library() {
  return (await import("../certs/x509-library.ts")).x509;
}
type Library = Awaited<ReturnType<typeof library>>;

/** 128 random bits, in upper-case hexadecimal. */
export function newSerial(): string {
  for (;;) {
    const bytes = randomBytes(SERIAL_BYTES);
    // A number has no leading zeros: with one, programs would write the same serial number differently.
    if (bytes[0] !== 0) return bytes.toString("hex").toUpperCase();
  }
}

/** As DER has it: a number whose first bit is set is negative unless a zero byte stands before it. */
function signed(serial: string): string {
  return serial >= "8" ? `00${serial}` : serial;
}

/** An authority that everyone trusts who has its certificate. `pathLength`: how many authorities may stand between it and a leaf. */
export async function selfSigned(
  commonName: string,
  key: KeyObject,
  validity: Validity,
  pathLength: number,
): Promise<string> {
  const x509 = await library();
  const name = nameOf(x509, commonName);
  return sign(x509, key, {
    ...{ serial: newSerial(), subject: name, issuer: name, validity, publicKey: createPublicKey(key) },
    extensions: authorityExtensions(x509, key, pathLength),
  });
}

/** An authority below another one, which itself has none below it. */
export async function intermediate(
  commonName: string,
  key: KeyObject,
  validity: Validity,
  signer: Signer,
): Promise<string> {
  const x509 = await library();
  return sign(x509, signer.key, {
    ...{
      serial: newSerial(),
      subject: nameOf(x509, commonName),
      issuer: subjectOf(x509, signer.certificate),
      validity,
    },
    publicKey: createPublicKey(key),
    extensions: [...authorityExtensions(x509, key, 0), issuedBy(x509, signer.certificate)],
  });
}

function authorityExtensions(x509: Library, key: KeyObject, pathLength: number) {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    new x509.SubjectKeyIdentifierExtension(keyIdentifier(createPublicKey(key))),
  ];
}

export interface Leaf {
  readonly serial: string;
  readonly purpose: "server" | "client";
  readonly subject: Subject;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
}

/** The certificate of a server or a client, in PEM. */
export async function leaf({ serial, purpose, subject, validity, publicKey }: Leaf, signer: Signer): Promise<string> {
  const x509 = await library();
  const { commonName, alternativeNames } = subject;
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  // Before TLS 1.3 old clients encrypt the secret with the server's RSA key (RFC 5246 7.4.2).
  const encrypts = purpose === "server" && publicKey.asymmetricKeyType === "rsa";
  return sign(x509, signer.key, {
    ...{
      serial,
      subject: nameOf(x509, commonName, subject.around),
      issuer: subjectOf(x509, signer.certificate),
      validity,
      publicKey,
    },
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(encrypts ? digitalSignature | keyEncipherment : digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([purpose === "server" ? serverAuth : clientAuth]),
      // Critical where there is no other name (RFC 5280 4.2.1.6).
      new x509.SubjectAlternativeNameExtension(alternativeNames.map(generalName), commonName === ""),
      new x509.SubjectKeyIdentifierExtension(keyIdentifier(publicKey)),
      issuedBy(x509, signer.certificate),
    ],
  });
}

const GENERAL_NAMES = { DNS: "dns", IP: "ip", URI: "url", email: "email" } as const;

function generalName({ kind, value }: AlternativeName) {
  return { type: GENERAL_NAMES[kind], value };
}

interface Unsigned {
  readonly serial: string;
  readonly subject: InstanceType<Library["Name"]>;
  readonly issuer: InstanceType<Library["Name"]>;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly extensions: InstanceType<Library["Extension"]>[];
}

async function sign(x509: Library, key: KeyObject, unsigned: Unsigned): Promise<string> {
  const { serial, subject, issuer, validity, publicKey, extensions } = unsigned;
  const certificate = await x509.X509CertificateGenerator.create({
    ...{ serialNumber: signed(serial), subject, issuer, extensions },
    notBefore: new Date(wholeSecond(validity.notBefore)),
    notAfter: new Date(wholeSecond(validity.notAfter)),
    publicKey: new x509.PublicKey(publicKey.export({ type: "spki", format: "der" })),
    ...(await signing(key)),
  });
  return `${certificate.toString("pem")}\n`;
}

/** One certificate that is no more good. */
export interface Revocation {
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: RevocationReason;
}

/** Reasons by their numbers (RFC 5280 5.3.1): those that end a certificate for good. */
export const REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;
export type RevocationReason = keyof typeof REASONS;

/** A complete list of what `signer` has revoked, in PEM. `number` is greater than that of every list before it. */
export async function revocationList(
  revoked: readonly Revocation[],
  number: number,
  { notBefore, notAfter }: Validity,
  signer: Signer,
): Promise<string> {
  const x509 = await library();
  const list = await x509.X509CrlGenerator.create({
    issuer: subjectOf(x509, signer.certificate) as never,
    thisUpdate: new Date(wholeSecond(notBefore)),
    nextUpdate: new Date(wholeSecond(notAfter)),
    entries: revoked.map(({ serial, at, reason }) => {
      const date = new Date(wholeSecond(at));
      // An unspecified reason is left out (RFC 5280 5.3.1). The library would then write an empty list of extensions, which the RFC does
      // not allow; so such an entry says since when the certificate is not good.
      const more = reason === "unspecified" ? { invalidity: date } : { reason: REASONS[reason] as number };
      return { serialNumber: signed(serial), revocationDate: date, ...more };
    }),
    extensions: [issuedBy(x509, signer.certificate), new x509.Extension(CRL_NUMBER, false, integer(number))],
    ...(await signing(signer.key)),
  });
  // The library calls it CRL, which is no label that anybody else knows (RFC 7468 6).
  return `${x509.PemConverter.encode(list.rawData, "X509 CRL")}\n`;
}

async function signing(key: KeyObject) {
  const algorithm = signatureOf(key);
  const der = key.export({ type: "pkcs8", format: "der" });
  const signingKey = await crypto.subtle.importKey("pkcs8", der as Uint8Array<ArrayBuffer>, algorithm, false, ["sign"]);
  return { signingKey, signingAlgorithm: algorithm };
}

/** PrintableString where that has the characters, and UTF8String (RFC 5280 4.1.2.4). Said here, because the library takes umlauts for printable. */
function nameOf(x509: Library, commonName: string, around: readonly NamePart[] = []) {
  const string = (value: string) => (PRINTABLE.test(value) ? { printableString: value } : { utf8String: value });
  const parts = around.map(({ type, value }) => ({ [type]: [string(value)] }));
  return new x509.Name(commonName === "" ? parts : [...parts, { CN: [string(commonName)] }]);
}

/** Byte by byte what the issuer's certificate has: chains are built by that. */
function subjectOf(x509: Library, certificate: X509Certificate) {
  const { subject } = partsOf(certificate.raw);
  return new x509.Name(expect(subject, TAG.sequence, "the subject").whole);
}

function issuedBy(x509: Library, certificate: X509Certificate) {
  const { extensions } = partsOf(certificate.raw);
  const own = extensions.find(({ oid }) => oid === SUBJECT_KEY_IDENTIFIER);
  const id = own === undefined ? keyIdentifier(certificate.publicKey) : parse(own.value).octets().toString("hex");
  return new x509.AuthorityKeyIdentifierExtension(id);
}

/** From SHA-256 (RFC 7093 2, method 1), in hexadecimal: nothing of ours needs SHA-1. */
function keyIdentifier(publicKey: KeyObject): string {
  const [, bits] = parse(publicKey.export({ type: "spki", format: "der" }) as Buffer).children();
  return createHash("sha256")
    .update(bits!.content.subarray(1))
    .digest("hex")
    .slice(0, 2 * KEY_IDENTIFIER_BYTES);
}

/** A non-negative INTEGER in DER. */
function integer(value: number): Buffer {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = Buffer.from(signed(even.toUpperCase()), "hex");
  return Buffer.concat([Buffer.from([TAG.integer, bytes.length]), bytes]);
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
