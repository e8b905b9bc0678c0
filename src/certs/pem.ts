// Certificates and keys in PEM: what is in a text, whether key and certificate belong together, and for which names it serves.

import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----/g;

/** A certificate with its chain and key, as it is handed to the workers: plain text, identified by its content. */
export interface CertifiedKey {
  /** SHA-256 over certificate and key. */
  readonly hash: string;
  /** Leaf first, then the rest of the chain, in PEM. */
  readonly cert: string;
  readonly key: string;
  /** Lower-case DNS names (`*.x` included) and IP addresses that it is valid for, common name included. */
  readonly names: readonly string[];
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export type Loaded =
  | { kind: "ok"; pair: CertifiedKey; facts: CertificateFacts }
  /** `part` is the text in which the mistake is. */
  | { kind: "error"; part: "certificate" | "key"; message: string };

const cache = new Map<string, Loaded>();
/** Pairs whose parsing is remembered, so that a reload of 10 000 unchanged certificates parses none of them. */
const CACHE_LIMIT = 50_000;

/** Loads a pair from the two texts, which may be the same. Errors never quote key material. */
export function loadPair(certText: string, keyText: string): Loaded {
  const hash = createHash("sha256").update(certText).update("\0").update(keyText).digest("hex");
  const known = cache.get(hash);
  if (known !== undefined) return known;
  const loaded = parsePair(hash, certText, keyText);
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(hash, loaded);
  return loaded;
}

function parsePair(hash: string, certText: string, keyText: string): Loaded {
  const certs = blocks(
    certText,
    (label) => label === "CERTIFICATE" || label === "X509 CERTIFICATE" || label === "TRUSTED CERTIFICATE",
  );
  if (certs.length === 0) return wrong("certificate", "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  const keys = blocks(keyText, (label) => label.endsWith("PRIVATE KEY"));
  if (keys.length === 0) return wrong("key", "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  let key: KeyObject;
  try {
    if (/ENCRYPTED/.test(keys[0]!))
      return wrong("key", "the private key is encrypted, which Sluice cannot read yet: decrypt it with openssl pkey");
    key = createPrivateKey(keys[0]!);
  } catch {
    return wrong("key", "the private key cannot be read: it is damaged or of an unknown type");
  }
  let parsed: X509Certificate[];
  try {
    parsed = certs.map((cert) => new X509Certificate(cert));
  } catch {
    return wrong("certificate", "the certificate cannot be read: it is damaged");
  }
  const leaf = parsed.findIndex((cert) => cert.checkPrivateKey(key));
  if (leaf < 0) return wrong("key", "the private key does not belong to the certificate");
  const certificate = parsed[leaf]!;
  const chain = [certs[leaf]!, ...certs.filter((_, index) => index !== leaf)];
  return {
    kind: "ok",
    pair: { hash, cert: `${chain.join("\n")}\n`, key: `${keys[0]!}\n`, names: namesOf(certificate) },
    facts: factsOf(certificate),
  };
}

function wrong(part: "certificate" | "key", message: string): Loaded {
  return { kind: "error", part, message };
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    commonName: commonName(certificate.subject),
    serial: certificate.serialNumber,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

/** Every certificate in a text of certificate authorities, or what is wrong with it. */
export function loadAuthorities(
  text: string,
): { kind: "ok"; pem: string; count: number } | { kind: "error"; message: string } {
  const certs = blocks(text, (label) => label.endsWith("CERTIFICATE"));
  if (certs.length === 0)
    return { kind: "error", message: "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)" };
  try {
    for (const cert of certs) new X509Certificate(cert);
  } catch {
    return { kind: "error", message: "a certificate in it cannot be read: it is damaged" };
  }
  return { kind: "ok", pem: `${certs.join("\n")}\n`, count: certs.length };
}

function blocks(text: string, wanted: (label: string) => boolean): string[] {
  return [...text.matchAll(BLOCK)].filter((match) => wanted(match[1]!)).map((match) => match[0]);
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
