// An authority of our own: issues P-256 certificates for development. Files with keys are written with mode 0600, atomically.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { replaceFile } from "../system/replace-file.ts";
import { loadPair } from "./pem.ts";
import { x509 } from "./x509-library.ts";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Apple's limit for certificates that its clients accept. */
const LEAF_DAYS = 825;
/** A development certificate with less than this left is issued anew at the next start. */
const RENEW_BEFORE = 30 * DAY;

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40; // positive and of full length (RFC 5280 4.1.2.2)
  return Buffer.from(bytes).toString("hex");
}

async function pemOfKey(key: CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

/** A certificate authority with a name. */
export async function createAuthority(commonName: string): Promise<Issued> {
  const keys = (await crypto.subtle.generateKey(EC, true, ["sign", "verify"])) as CryptoKeyPair;
  const now = Date.now();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY),
    signingAlgorithm: EC,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${cert.toString("pem")}\n`, key: await pemOfKey(keys.privateKey) };
}

/** A server certificate for DNS names and IP addresses; the first one is its common name. */
export async function issueServer(authority: Issued, names: readonly string[], days = LEAF_DAYS): Promise<Issued> {
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = await crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(authority.key), EC, false, [
    "sign",
  ]);
  const keys = (await crypto.subtle.generateKey(EC, true, ["sign", "verify"])) as CryptoKeyPair;
  const now = Date.now();
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [names[0]!] }],
    issuer: issuer.subject,
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + days * DAY),
    signingAlgorithm: EC,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: isIP(name) ? "ip" : "dns", value: name }))),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: `${cert.toString("pem")}\n`, key: await pemOfKey(keys.privateKey) };
}

/** The files of a development certificate in its directory. */
export function developmentFiles(directory: string) {
  const file = (name: string) => join(directory, name);
  return { caCert: file("ca.crt"), caKey: file("ca.key"), cert: file("localhost.crt"), key: file("localhost.key") };
}

/**
 * Makes a development CA and a certificate for `names` in `directory`, unless a valid one for these names is there.
 * @returns whether anything was written.
 * @throws the system's error when the directory cannot be written.
 */
export async function ensureDevelopmentCertificate(directory: string, names: readonly string[]): Promise<boolean> {
  const files = developmentFiles(directory);
  if (isUsable(files.cert, files.key, names) && existsSync(files.caCert)) return false;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let authority: Issued;
  const kept = existsSync(files.caCert) && existsSync(files.caKey);
  if (kept) authority = { cert: readFileSync(files.caCert, "utf8"), key: readFileSync(files.caKey, "utf8") };
  else {
    authority = await createAuthority("Sluice development CA");
    writeSecret(files.caKey, authority.key);
    replaceFile(files.caCert, authority.cert, 0o644);
  }
  const issued = await issueServer(authority, names);
  writeSecret(files.key, issued.key);
  replaceFile(files.cert, issued.cert, 0o644);
  return true;
}

function isUsable(certFile: string, keyFile: string, names: readonly string[]): boolean {
  if (!existsSync(certFile) || !existsSync(keyFile)) return false;
  const loaded = loadPair(readFileSync(certFile, "utf8"), readFileSync(keyFile, "utf8"));
  if (loaded.kind === "error" || loaded.facts.notAfter - Date.now() < RENEW_BEFORE) return false;
  return names.every((name) => loaded.pair.names.includes(name.toLowerCase()));
}

function writeSecret(path: string, text: string): void {
  replaceFile(path, text, 0o600);
}
