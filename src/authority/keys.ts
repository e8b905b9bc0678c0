// Private keys: the kinds that an authority makes, and how they are written.

import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** `ec` is P-256: what small devices verify fastest. `rsa1024` is for devices that can do nothing else, and is not safe. */
export const KEY_CHOICES = ["ec", "ec384", "ed25519", "rsa2048", "rsa3072", "rsa4096", "rsa1024"] as const;
export type KeyChoice = (typeof KEY_CHOICES)[number];

/** The choice that a word means; `rsa` alone is of as many bits as `rsaBits` says. null: it is none. */
export function choiceOf(word: string, rsaBits: 2048 | 3072): KeyChoice | null {
  const folded = word.toLowerCase();
  return KEY_CHOICES.find((each) => each === (folded === "rsa" ? `rsa${rsaBits}` : folded)) ?? null;
}

/** What anyone with some patience can break. */
export const WEAK_KEYS: readonly KeyChoice[] = ["rsa1024"];

const generate = promisify(generateKeyPair) as unknown as (
  type: string,
  options: object,
) => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>;

/** A new private key. RSA of 4096 bits takes a second or more. */
export async function newKey(choice: KeyChoice): Promise<KeyObject> {
  switch (choice) {
    case "ec":
      return (await generate("ec", { namedCurve: "P-256" })).privateKey;
    case "ec384":
      return (await generate("ec", { namedCurve: "P-384" })).privateKey;
    case "ed25519":
      return (await generate("ed25519", {})).privateKey;
    default:
      return (await generate("rsa", { modulusLength: Number(choice.slice(3)) })).privateKey;
  }
}

/** PKCS#8 in PEM; with a passphrase encrypted by PBES2: AES-256 and PBKDF2 with HMAC-SHA-256. */
export function keyText(key: KeyObject, passphrase: string | null): string {
  const form = { type: "pkcs8", format: "pem" } as const;
  return key.export(passphrase === null ? form : { ...form, cipher: "aes-256-cbc", passphrase }) as string;
}

/**
 * What a guess of an authority's passphrase costs: the figure of OWASP's Password Storage Cheat Sheet for PBKDF2 with HMAC-SHA-256. The
 * key is opened once for each command. Keys of devices have the 2048 of OpenSSL, because small ones take seconds for more.
 */
const AUTHORITY_ITERATIONS = 600_000;

/** The key of an authority, as `keyText` has it; a passphrase that protects it costs more to guess. */
export async function authorityKeyText(key: KeyObject, passphrase: string | null): Promise<string> {
  if (passphrase === null) return keyText(key, null);
  const { encryptedKeyInfo, sealWith } = await import("../keystores/seal.ts");
  const pkcs8 = key.export({ type: "pkcs8", format: "der" }) as Buffer;
  const sealed = encryptedKeyInfo(pkcs8, passphrase, sealWith(AUTHORITY_ITERATIONS));
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${sealed.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** As `openssl genrsa -des3` wrote keys for decades, for clients that read nothing newer. Its key derivation is one round of MD5. */
export function des3KeyText(key: KeyObject, passphrase: string): string {
  const type = key.asymmetricKeyType === "rsa" ? "pkcs1" : "sec1";
  return key.export({ type, format: "pem", cipher: "des-ede3-cbc", passphrase }) as string;
}

/** What the signature of a key of this kind is made with, for WebCrypto. @throws on a kind that no authority has. */
export function signatureOf(key: KeyObject): {
  readonly name: string;
  readonly namedCurve?: string;
  readonly hash?: string;
} {
  switch (key.asymmetricKeyType) {
    case "ec": {
      const large =
        key.asymmetricKeyDetails?.namedCurve !== "prime256v1" && key.asymmetricKeyDetails?.namedCurve !== "P-256";
      return large
        ? { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }
        : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    }
    case "rsa":
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    case "ed25519":
      return { name: "Ed25519" };
    default:
      throw new Error(`an authority's key is EC, RSA or Ed25519, and not ${key.asymmetricKeyType}`);
  }
}

/** The choice that makes keys of the same kind; null where there is none. */
export function kindOf(key: KeyObject): KeyChoice | null {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ec":
      if (namedCurve === "prime256v1" || namedCurve === "P-256") return "ec";
      return namedCurve === "secp384r1" || namedCurve === "P-384" ? "ec384" : null;
    case "rsa":
      return KEY_CHOICES.find((each) => each === `rsa${modulusLength}`) ?? null;
    case "ed25519":
      return "ed25519";
    default:
      return null;
  }
}
