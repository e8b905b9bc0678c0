// Certificates and keys in PEM: what is in a text, whether key and certificate belong together, and for which names it serves.

import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { expect, parse, TAG } from "../asn1/ber.ts";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import { decrypt, privateKey } from "../keystores/pbe.ts";
import { guarded, Rounds, type StoreError } from "../keystores/store.ts";
import { type PemBlock, pemBlocks } from "./pem-blocks.ts";

/** What a client must be able to verify; `p256` and its like are ECDSA on that curve. */
export type KeyType = "rsa" | "p256" | "p384" | "p521" | "ed25519";

/** A certificate with its chain and key, as it is handed to the workers: plain text, identified by its content. */
export interface CertifiedKey {
  /** SHA-256 over certificate and key. */
  readonly hash: string;
  /** Leaf first, then the rest of the chain, in PEM. */
  readonly cert: string;
  /** PKCS#8, not encrypted. */
  readonly key: string;
  readonly keyType: KeyType;
  /** Lower-case DNS names (`*.x` included) and IP addresses that it is valid for, common name included. */
  readonly names: readonly string[];
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The file has the chain in the order in which it is sent, or in none that means anything. */
  readonly inOrder: boolean;
  /** What is not right with it, though it can be used. */
  readonly warnings: readonly Remark[];
}

export type Loaded =
  | { kind: "ok"; pair: CertifiedKey; facts: CertificateFacts }
  /** `part` is the text in which the mistake is. */
  | { kind: "error"; part: "certificate" | "key" | "password"; code: Code; message: string };

const cache = new Map<string, Loaded>();
/** Pairs whose parsing is remembered, so that a reload of 10 000 unchanged certificates parses none of them. */
const CACHE_LIMIT = 50_000;
/** No client follows a longer chain; a file with thousands of certificates must not cost their number squared. */
const MAX_CHAIN = 32;
/** Certificates of one name whose signatures are compared: an authority has a few, over the years. */
const MAX_ISSUERS = 16;
/** Below it anyone with some patience has the key; such certificates are still met in the field. */
export const SHORT_RSA_BITS = 2048;

/** Loads a pair from the two texts, which may be the same. Errors never quote key material. */
export function loadPair(certText: string, keyText: string, password: string | null = null): Loaded {
  const hash = createHash("sha256").update(certText).update("\0").update(keyText).digest("hex");
  const known = createHash("sha256")
    .update(hash)
    .update(JSON.stringify(password)) // none at all is not the empty one
    .digest("hex");
  const cached = cache.get(known);
  if (cached !== undefined) return cached;
  const loaded = parsePair(hash, certText, keyText, password);
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(known, loaded);
  return loaded;
}

function parsePair(hash: string, certText: string, keyText: string, password: string | null): Loaded {
  const certs = pemBlocks(certText).filter(({ label }) =>
    ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].includes(label),
  );
  if (certs.length === 0) return wrong("certificate", "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  const keys = pemBlocks(keyText).filter(({ label }) => label.endsWith("PRIVATE KEY"));
  if (keys.length === 0) return wrong("key", "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  const opened = openKey(keys[0]!, password);
  if (opened.kind === "error") return opened;
  let parsed: X509Certificate[];
  try {
    parsed = certs.map(({ pem }) => new X509Certificate(pem));
  } catch {
    return wrong("certificate", "the certificate cannot be read: it is damaged");
  }
  return certify(hash, parsed, opened.key, "warn");
}

/**
 * A pair from certificates in any order and a key: the certificate that has the key is the leaf. `unused` says whether certificates
 * that are no part of its chain are worth a warning.
 */
export function certify(
  hash: string,
  certificates: readonly X509Certificate[],
  key: KeyObject,
  unused: "warn" | "expected",
): Loaded {
  const leaf = certificates.find((cert) => cert.checkPrivateKey(key));
  if (leaf === undefined) return wrong("key", "the private key does not belong to the certificate", "key-mismatch");
  const type = keyTypeOf(key);
  if (type === null) return wrong("key", UNUSABLE);
  const { chain, rest } = orderChain(leaf, certificates);
  const places = chain.map((cert) => certificates.indexOf(cert));
  const inOrder = unused === "expected" || places.every((place, index) => index === 0 || place > places[index - 1]!);
  const warnings: Remark[] = [];
  if (unused === "warn" && rest.length > 0) warnings.push({ code: "certificate-chain", message: describeUnused(rest) });
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (type === "rsa" && bits !== undefined && bits < SHORT_RSA_BITS)
    warnings.push({
      code: "certificate-weak",
      message: `its RSA key has ${bits} bits, which is too short to be safe: many clients refuse it`,
    });
  return {
    kind: "ok",
    pair: {
      hash,
      cert: chain.map((cert) => cert.toString()).join(""),
      key: key.export({ type: "pkcs8", format: "pem" }) as string,
      keyType: type,
      names: namesOf(leaf),
    },
    facts: { ...factsOf(leaf), inOrder, warnings },
  };
}

const UNUSABLE = "the private key is of a kind that Sluice cannot serve with: take EC P-256, P-384, Ed25519 or RSA";
/** How BoringSSL says that a key is sound but of a kind or on a curve that it does not know. */
const UNKNOWN_KIND = /UNSUPPORTED_ALGORITHM|UNKNOWN_GROUP|UNSUPPORTED_PUBLIC_KEY/;

const ENCRYPTED = /^\s*Proc-Type: *4, *ENCRYPTED/m;

/** Opens the private key in a block; the error's part is "password" when another password, or one at all, may open it. */
export function openKey(
  block: PemBlock,
  password: string | null,
): { kind: "ok"; key: KeyObject } | Extract<Loaded, { kind: "error" }> {
  const sealed = block.label === "ENCRYPTED PRIVATE KEY";
  if ((sealed || ENCRYPTED.test(block.body)) && password === null)
    return wrong("password", "the private key is encrypted: give keyPassword or keyPasswordFile");
  try {
    if (!sealed) {
      const pem = block.pem;
      return { kind: "ok", key: createPrivateKey(password === null ? pem : { key: pem, passphrase: password }) };
    }
    const opened = openPkcs8(Buffer.from(block.body, "base64"), password!);
    if (opened.kind === "error") return wrong("password", `the private key: ${opened.message}`);
    return { kind: "ok", key: createPrivateKey({ key: opened.pkcs8, format: "der", type: "pkcs8" }) };
  } catch (error) {
    if (UNKNOWN_KIND.test((error as Error).message) || isOnUnknownCurve(block)) return wrong("key", UNUSABLE);
    return sealed || !ENCRYPTED.test(block.body)
      ? wrong("key", "the private key cannot be read: it is damaged or of an unknown type")
      : wrong("password", "the private key's password is wrong, or the key is damaged");
  }
}

/** Whether an EC key in its own form (RFC 5915 3), which the runtime only calls malformed, names a curve that we do not serve with. */
function isOnUnknownCurve({ label, body }: PemBlock): boolean {
  if (label !== "EC PRIVATE KEY" || ENCRYPTED.test(body)) return false;
  const oid = guarded(() => {
    const fields = expect(parse(Buffer.from(body, "base64")), TAG.sequence, "the private key").children();
    return fields
      .find((field) => field.tag === TAG.context(0))
      ?.children()[0]
      ?.oid();
  });
  return typeof oid === "string" && !CURVE_IDS.includes(oid);
}

/** P-256, P-384 and P-521. */
const CURVE_IDS = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

/** EncryptedPrivateKeyInfo (RFC 5958 3), read here because the work that its iteration count asks for must have a bound. */
function openPkcs8(der: Buffer, password: string): { kind: "ok"; pkcs8: Buffer } | StoreError {
  return guarded(() => {
    const [algorithm, data] = expect(parse(der), TAG.sequence, "the private key").children();
    const octets = expect(data, TAG.octets, "the private key").octets();
    return { kind: "ok", pkcs8: privateKey(decrypt(algorithm!, octets, password, new Rounds())) } as const;
  });
}

function keyTypeOf(key: KeyObject): KeyType | null {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return "rsa";
    case "ed25519":
      return "ed25519";
    case "ec":
      return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? null;
    default:
      return null;
  }
}

const CURVES: Record<string, KeyType> = { prime256v1: "p256", "P-256": "p256", secp384r1: "p384", secp521r1: "p521" };

/** The leaf and each one's issuer behind it, as TLS wants them (RFC 8446 4.4.2), and what belongs elsewhere. */
export function orderChain(
  leaf: X509Certificate,
  certificates: readonly X509Certificate[],
): { chain: X509Certificate[]; rest: X509Certificate[] } {
  const chain = [leaf];
  const isInChain = (cert: X509Certificate): boolean =>
    chain.some((each) => each.fingerprint256 === cert.fingerprint256);
  for (let last = leaf; !isSelfIssued(last) && chain.length < MAX_CHAIN; ) {
    const issuers = certificates.filter((cert) => !isInChain(cert) && last.checkIssued(cert)).slice(0, MAX_ISSUERS);
    // Names alone do not tell an authority's old certificate from the one with its new key; the signature costs, so it comes last.
    const issuer = issuers.length > 1 ? (issuers.find((cert) => hasSigned(cert, last)) ?? issuers[0]) : issuers[0];
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return { chain, rest: certificates.filter((cert) => !isInChain(cert)) };
}

/** Whether the key of one certificate has signed the other one. */
export function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of a kind that the runtime does not know
  }
}

function describeUnused(rest: readonly X509Certificate[]): string {
  const names = rest.slice(0, 3).map((cert) => commonName(cert.subject) || "(no common name)");
  const what = rest.length === 1 ? "a certificate in it is" : `${rest.length} certificates in it are`;
  return `${what} no part of its chain and not sent: ${names.join(", ")}`;
}

export function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer;
}

const CODES = { certificate: "certificate-invalid", key: "key-invalid", password: "key-password" } as const;

function wrong(
  part: keyof typeof CODES,
  message: string,
  code: Code = CODES[part],
): Extract<Loaded, { kind: "error" }> {
  return { kind: "error", part, code, message };
}

function factsOf(certificate: X509Certificate): Omit<CertificateFacts, "inOrder" | "warnings"> {
  return {
    commonName: commonName(certificate.subject),
    serial: certificate.serialNumber,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

export type Authorities =
  | { kind: "ok"; pem: string; certificates: readonly X509Certificate[] }
  | ({ kind: "error" } & Remark);

/** Every certificate in a text of certificate authorities, or what is wrong with it. */
export function loadAuthorities(text: string): Authorities {
  const certs = pemBlocks(text).filter(({ label }) => label.endsWith("CERTIFICATE"));
  if (certs.length === 0)
    return {
      kind: "error",
      code: "authority-invalid",
      message: "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
    };
  try {
    const certificates = certs.map(({ pem }) => new X509Certificate(pem));
    return { kind: "ok", pem: certificates.map((each) => each.toString()).join(""), certificates };
  } catch {
    return { kind: "error", code: "authority-invalid", message: "a certificate in it cannot be read: it is damaged" };
  }
}

function namesOf(certificate: X509Certificate): string[] {
  const names = new Set<string>();
  // "DNS:a.example, IP Address:10.0.0.1, ..."; a DNS name with a comma or quote in it is not one that SNI could ask for.
  for (const part of (certificate.subjectAltName ?? "").split(", ")) {
    if (part.startsWith("DNS:")) names.add(part.slice(4).toLowerCase());
    else if (part.startsWith("IP Address:")) names.add(canonicalAddress(part.slice(11)));
  }
  const cn = commonName(certificate.subject).toLowerCase();
  if (cn !== "" && !/[^a-z0-9*._:-]/.test(cn)) names.add(cn);
  return [...names];
}

/** An IPv6 address as sockets write it; a certificate's text form writes all of its zeros out. */
function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** The first CN of a subject in OpenSSL's line form; "" when there is none. */
export function commonName(subject: string): string {
  const match = /^CN=(.*)$/m.exec(subject);
  return match === null ? "" : match[1]!;
}
