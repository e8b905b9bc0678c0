// An authority of our own: issues P-256 certificates for development. Files with keys are written with mode 0600, atomically.

import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../system/replace-file.ts";
import { loadPair } from "./pem.ts";
import {
  alternativeNames,
  authorityKeyIdentifier,
  commonName,
  forIssuing,
  forServers,
  forSigning,
  isAuthority,
  isNoAuthority,
  subjectKeyIdentifier,
  writeCertificate,
} from "./write.ts";
import { partsOf } from "./x509.ts";

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

const newKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pemOfKey = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

/** A certificate authority with a name. */
export function createAuthority(name: string): Issued {
  const { publicKey, privateKey } = newKeys();
  const subject = commonName(name);
  const now = Date.now();
  const cert = writeCertificate(
    { name: subject, key: privateKey },
    {
      subject,
      publicKey,
      notBefore: now - DAY,
      notAfter: now + AUTHORITY_DAYS * DAY,
      extensions: [isAuthority(), forIssuing(), subjectKeyIdentifier(publicKey)],
    },
  );
  return { cert, key: pemOfKey(privateKey) };
}

/** A server certificate for DNS names and IP addresses; the first one is its common name. */
export function issueServer(authority: Issued, names: readonly string[], days = LEAF_DAYS): Issued {
  const issuer = new X509Certificate(authority.cert);
  const { publicKey, privateKey } = newKeys();
  const now = Date.now();
  const cert = writeCertificate(
    { name: partsOf(issuer.raw).subject!.whole, key: createPrivateKey(authority.key) },
    {
      subject: commonName(names[0]!),
      publicKey,
      notBefore: now - DAY,
      notAfter: now + days * DAY,
      extensions: [
        isNoAuthority(),
        forSigning(),
        forServers(),
        alternativeNames(names),
        authorityKeyIdentifier(issuer),
      ],
    },
  );
  return { cert, key: pemOfKey(privateKey) };
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
export function ensureDevelopmentCertificate(directory: string, names: readonly string[]): boolean {
  const files = developmentFiles(directory);
  if (isUsable(files.cert, files.key, names) && existsSync(files.caCert)) return false;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let authority: Issued;
  const kept = existsSync(files.caCert) && existsSync(files.caKey);
  if (kept) authority = { cert: readFileSync(files.caCert, "utf8"), key: readFileSync(files.caKey, "utf8") };
  else {
    authority = createAuthority("Sluice development CA");
    writeSecret(files.caKey, authority.key);
    replaceFile(files.caCert, authority.cert, 0o644);
  }
  const issued = issueServer(authority, names);
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
