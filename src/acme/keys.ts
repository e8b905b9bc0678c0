// Keys, signing requests and challenge certificates for ACME.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import { octets } from "../asn1/der.ts";
import { alternativeNames, commonName, extension, writeCertificate, writeRequest } from "../certs/write.ts";

/** Traefik's words. EC256 is the default here: small devices verify it fastest, and handshakes with it cost the least. */
export type AcmeKeyType = "EC256" | "EC384" | "RSA2048" | "RSA4096" | "RSA8192";

export const DEFAULT_KEY_TYPE: AcmeKeyType = "EC256";

/** The kind of the key that a PEM chain's first certificate is for, or the next stronger one that can be ordered; null for others. */
export function keyTypeOf(pem: string): AcmeKeyType | null {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = new X509Certificate(pem).publicKey;
    if (asymmetricKeyType === "rsa") {
      const bits = asymmetricKeyDetails?.modulusLength ?? 0;
      return bits <= 2048 ? "RSA2048" : bits <= 4096 ? "RSA4096" : "RSA8192";
    }
    return asymmetricKeyType === "ec" ? (CURVES[asymmetricKeyDetails?.namedCurve ?? ""] ?? null) : null;
  } catch {
    return null; // a key of a kind that the runtime does not know
  }
}

const CURVES: Readonly<Record<string, AcmeKeyType>> = { prime256v1: "EC256", secp384r1: "EC384" };

/** id-pe-acmeIdentifier (RFC 8737 3). */
const ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31";
/** A challenge certificate is looked at within seconds. Milliseconds. */
const CHALLENGE_LIFETIME = 3_600_000;

/** A new account key: RSA of 4096 bits, which is what Traefik makes and reads back from PKCS#1. */
export function newAccountKey(): KeyObject {
  return generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey;
}

/** The account key of acme.json: PKCS#1 as Traefik has it, or PKCS#8. @throws when it is neither. */
export function readAccountKey(der: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs1" });
  } catch {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  }
}

/** The same for the way back. */
export function writeAccountKey(key: KeyObject): Buffer {
  const type = key.asymmetricKeyType === "rsa" ? "pkcs1" : "pkcs8";
  return key.export({ format: "der", type }) as Buffer;
}

/** A new key and the request to certify it for these DNS names; the first one is the common name. */
export async function createRequest(
  names: readonly string[],
  keyType: AcmeKeyType,
): Promise<{ der: Buffer; key: string }> {
  const key = await generate(keyType);
  // A common name has at most 64 characters (RFC 5280 A.1); names beyond that are in the extension alone.
  const subject = commonName(names[0]!.length <= 64 ? names[0]! : undefined);
  return { der: writeRequest(subject, key, [alternativeNames(names)]), key: pemOf(key) };
}

/** The certificate that answers a TLS-ALPN-01 challenge (RFC 8737 3): self-signed, with the digest of the key authorization in it. */
export async function createChallengeCertificate(
  name: string,
  keyAuthorization: string,
): Promise<{ cert: string; key: string }> {
  const key = await generate("EC256");
  const digest = createHash("sha256").update(keyAuthorization).digest();
  const now = Date.now();
  const subject = commonName("ACME challenge");
  const cert = writeCertificate(
    { name: subject, key },
    {
      subject,
      publicKey: createPublicKey(key),
      notBefore: now - CHALLENGE_LIFETIME,
      notAfter: now + CHALLENGE_LIFETIME,
      extensions: [alternativeNames([name]), extension(ACME_IDENTIFIER, octets(digest), true)],
    },
  );
  return { cert, key: pemOf(key) };
}

/** Off the event loop: a large RSA key takes seconds. */
async function generate(keyType: AcmeKeyType): Promise<KeyObject> {
  if (keyType.startsWith("RSA")) return (await newRsa({ modulusLength: Number(keyType.slice(3)) })).privateKey;
  return (await newEc({ namedCurve: keyType === "EC384" ? "P-384" : "P-256" })).privateKey;
}

const generateKeys = promisify(generateKeyPair);
const newRsa = (options: { modulusLength: number }) => generateKeys("rsa", options);
const newEc = (options: { namedCurve: string }) => generateKeys("ec", options);

const pemOf = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;
