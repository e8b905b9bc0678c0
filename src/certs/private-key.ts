// A private key in PEM, opened with its password: PKCS#8, PKCS#1 and SEC1, encrypted or not.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { decrypt, privateKey } from "../keystores/pbe.ts";
import { guarded, Rounds, type StoreError } from "../keystores/store.ts";
import type { PemBlock } from "./pem-blocks.ts";

/** What a client must be able to verify; `p256` and its like are ECDSA on that curve. */
export type KeyType = "rsa" | "p256" | "p384" | "p521" | "ed25519";

/** `part` is "password" when another password, or one at all, may open it. */
export type KeyFailure = { readonly kind: "error"; readonly part: "key" | "password"; readonly message: string };

const OPENSSH = "OPENSSH PRIVATE KEY";
export const UNUSABLE =
  "the private key is of a kind that Sluice cannot serve with: take EC P-256, P-384, Ed25519 or RSA";
/** How BoringSSL says that a key is sound but of a kind or on a curve that it does not know. */
const UNKNOWN_KIND = /UNSUPPORTED_ALGORITHM|UNKNOWN_GROUP|UNSUPPORTED_PUBLIC_KEY/;

const ENCRYPTED = /^\s*Proc-Type: *4, *ENCRYPTED/m;

/** Opens the private key in a block. */
export function openKey(block: PemBlock, password: string | null): { kind: "ok"; key: KeyObject } | KeyFailure {
  if (block.label === OPENSSH)
    return wrong("key", "the private key is in the form of OpenSSH: ssh-keygen -p -m PKCS8 -f FILE writes it as PEM");
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

function wrong(part: KeyFailure["part"], message: string): KeyFailure {
  return { kind: "error", part, message };
}

/** null for a kind that no TLS server uses. */
export function keyTypeOf(key: KeyObject): KeyType | null {
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
