// The authority that Sluice makes for itself: P-256 certificates for development. Files with keys are written with mode 0600, atomically.

import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { loadPair } from "../certs/pem.ts";
import { replaceFile } from "../system/replace-file.ts";
import { leaf, newSerial, selfSigned } from "./certificate.ts";
import { developmentFiles } from "./development-files.ts";
import { keyText, newKey } from "./keys.ts";
import type { AlternativeName } from "./names.ts";

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

/** A certificate authority with a name. */
export async function developmentAuthority(commonName: string): Promise<Issued> {
  const key = await newKey("ec");
  const now = Date.now();
  const validity = { notBefore: now - DAY, notAfter: now + AUTHORITY_DAYS * DAY };
  return { cert: await selfSigned(commonName, key, validity, 0), key: keyText(key, null) };
}

/** A server certificate for DNS names and IP addresses; the first one is its common name. */
export async function developmentServer(authority: Issued, names: readonly string[]): Promise<Issued> {
  const signer = { certificate: new X509Certificate(authority.cert), key: createPrivateKey(authority.key) };
  const key = await newKey("ec");
  const now = Date.now();
  const alternativeNames = names.map((value): AlternativeName => ({ kind: isIP(value) ? "IP" : "DNS", value }));
  const cert = await leaf(
    {
      ...{ serial: newSerial(), purpose: "server", publicKey: createPublicKey(key) },
      subject: { commonName: names[0]!, alternativeNames },
      // Good since a day ago, and both ends count (RFC 5280 4.1.2.5).
      validity: { notBefore: now - DAY, notAfter: now + (LEAF_DAYS - 1) * DAY - 1000 },
    },
    signer,
  );
  return { cert, key: keyText(key, null) };
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
    authority = await developmentAuthority("Sluice development CA");
    writeSecret(files.caKey, authority.key);
    replaceFile(files.caCert, authority.cert, 0o644);
  }
  const issued = await developmentServer(authority, names);
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
