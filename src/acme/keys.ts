// Keys, signing requests and challenge certificates for ACME.

import { createHash, createPrivateKey, generateKeyPair, KeyObject, X509Certificate } from "node:crypto";
import { promisify } from "node:util";

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

/** Loaded when it is first used: commands that only read need not wait for it. */
const library = () => import("../certs/x509-library.ts");

type SigningAlgorithm =
  | { name: "ECDSA"; namedCurve: string; hash: string }
  | { name: "RSASSA-PKCS1-v1_5"; hash: string };

const generateKeys = promisify(generateKeyPair);

/** A new account key: RSA of 4096 bits, which is what Traefik makes and reads back from PKCS#1. Off the event loop: it takes a second. */
export async function newAccountKey(): Promise<KeyObject> {
  return (await generateKeys("rsa", { modulusLength: 4096 })).privateKey;
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

/** A new key and the request to certify it for these names; the first one is the common name. */
export async function createRequest(
  names: readonly string[],
  keyType: AcmeKeyType,
): Promise<{ der: Buffer; key: string }> {
  const { x509 } = await library();
  const algorithm = algorithmOf(keyType);
  const keys = await generate(keyType, algorithm);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    // A common name has at most 64 characters (RFC 5280 A.1); names beyond that are in the extension alone.
    name: names[0]!.length <= 64 ? [{ CN: [names[0]!] }] : "",
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))],
  });
  return { der: Buffer.from(request.rawData), key: await pemOf(keys.privateKey) };
}

/** The certificate that answers a TLS-ALPN-01 challenge (RFC 8737 3): self-signed, with the digest of the key authorization in it. */
export async function createChallengeCertificate(
  name: string,
  keyAuthorization: string,
): Promise<{ cert: string; key: string }> {
  const { x509 } = await library();
  const algorithm = algorithmOf("EC256");
  const keys = await generate("EC256", algorithm);
  const digest = createHash("sha256").update(keyAuthorization).digest();
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: [{ CN: ["ACME challenge"] }],
    notBefore: new Date(now - CHALLENGE_LIFETIME),
    notAfter: new Date(now + CHALLENGE_LIFETIME),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
      // OCTET STRING of 32 bytes.
      new x509.Extension(ACME_IDENTIFIER, true, Buffer.concat([Buffer.from([0x04, 0x20]), digest])),
    ],
  });
  return { cert: `${certificate.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
}

function algorithmOf(keyType: AcmeKeyType): SigningAlgorithm {
  switch (keyType) {
    case "EC256":
      return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    case "EC384":
      return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
    default:
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  }
}

async function generate(keyType: AcmeKeyType, algorithm: SigningAlgorithm): Promise<CryptoKeyPair> {
  const parameters = keyType.startsWith("RSA")
    ? { ...algorithm, modulusLength: Number(keyType.slice(3)), publicExponent: new Uint8Array([1, 0, 1]) }
    : algorithm;
  return (await crypto.subtle.generateKey(parameters as never, true, ["sign", "verify"])) as CryptoKeyPair;
}

async function pemOf(key: CryptoKey): Promise<string> {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }) as string;
}
