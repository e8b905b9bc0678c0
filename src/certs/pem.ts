// Certificates and keys in PEM: what is in a text, whether key and certificate belong together, and for which names it serves.

import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import { detailsOf, subjectOf } from "./details.ts";
import { orderChain } from "./issuers.ts";
import { isCertificate, isPrivateKey, type PemText, readPem } from "./pem-blocks.ts";
import { type KeyType, keyTypeOf, openKey, UNUSABLE } from "./private-key.ts";
import { serverNamesOf } from "./x509.ts";

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
  /** As messages name it. */
  readonly subject: string;
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
/** Certificates that are named in a message. */
const MAX_NAMED = 3;
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
  const cert = readPem(certText);
  const certificates = certificatesIn(cert);
  if (certificates.kind === "error") return wrong("certificate", certificates.message);
  const key = keyText === certText ? cert : readPem(keyText);
  if (key.flaw !== null) return wrong("key", `line ${key.flaw.line}: ${key.flaw.message}`);
  const block = key.blocks.find(isPrivateKey);
  if (block === undefined) return wrong("key", "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  const opened = openKey(block, password);
  if (opened.kind === "error") return wrong(opened.part, opened.message);
  return certify(hash, certificates.certificates, opened.key, "warn");
}

/** Every certificate of a text, in its order; the first thing in it that is not whole is an error, with its line. */
function certificatesIn({
  blocks,
  flaw,
}: PemText): { kind: "ok"; certificates: X509Certificate[] } | { kind: "error"; message: string } {
  if (flaw !== null) return { kind: "error", message: `line ${flaw.line}: ${flaw.message}` };
  const certificates: X509Certificate[] = [];
  for (const { pem, line } of blocks.filter(isCertificate))
    try {
      certificates.push(new X509Certificate(pem));
    } catch {
      return { kind: "error", message: `line ${line}: the certificate that begins there is damaged` };
    }
  if (certificates.length > 0) return { kind: "ok", certificates };
  return { kind: "error", message: "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)" };
}

/** The certificates of a text that Sluice itself has put together. @throws when one cannot be read. */
export function ownCertificates(text: string): X509Certificate[] {
  return readPem(text)
    .blocks.filter(isCertificate)
    .map(({ pem }) => new X509Certificate(pem));
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
  if (leaf === undefined) return wrong("key", describeMismatch(certificates), "key-mismatch");
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
  const details = detailsOf(leaf.raw);
  if (details?.names.length === 0) warnings.push({ code: "certificate-without-names", message: NO_NAMES });
  if (details?.mustStaple) warnings.push({ code: "certificate-must-staple", message: MUST_STAPLE });
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

export const NO_NAMES =
  "it has no subject alternative name, and most clients do not look at the common name any more: they refuse it for any host. Issue it with subjectAltName";
export const MUST_STAPLE =
  "it demands OCSP stapling (must-staple), which Sluice does not do: clients that heed this refuse it. Issue it without the TLS feature extension";

function describeMismatch(certificates: readonly X509Certificate[]): string {
  const [first] = certificates;
  if (certificates.length === 1) return `the private key does not belong to the certificate of ${subjectOf(first!)}`;
  const names = certificates.slice(0, MAX_NAMED).map(subjectOf);
  if (certificates.length > MAX_NAMED) names.push("...");
  return `the private key belongs to none of the ${certificates.length} certificates: ${names.join("; ")}`;
}

function describeUnused(rest: readonly X509Certificate[]): string {
  const names = rest.slice(0, MAX_NAMED).map(subjectOf);
  const what = rest.length === 1 ? "a certificate in it is" : `${rest.length} certificates in it are`;
  return `${what} no part of its chain and not sent: ${names.join("; ")}`;
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
    subject: subjectOf(certificate),
    commonName: serverNamesOf(certificate.raw).commonNames[0] ?? "",
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
  const read = certificatesIn(readPem(text));
  return read.kind === "error" ? { ...read, code: "authority-invalid" } : authoritiesOf(read.certificates);
}

export function authoritiesOf(certificates: readonly X509Certificate[]): Extract<Authorities, { kind: "ok" }> {
  return { kind: "ok", pem: certificates.map((each) => each.toString()).join(""), certificates };
}

/** What a client can ask for by SNI or by the address that it dials: alternative names, and a common name that looks like one. */
function namesOf(certificate: X509Certificate): string[] {
  const { dns, addresses, commonNames } = serverNamesOf(certificate.raw);
  const names = new Set([...dns.map((name) => name.toLowerCase()), ...addresses]);
  const commonName = commonNames[0]?.toLowerCase() ?? "";
  if (commonName !== "" && !/[^a-z0-9*._:-]/.test(commonName)) names.add(commonName);
  return [...names];
}
