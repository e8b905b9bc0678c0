// Authorities in DER or in a key store: what Java calls a trust store.

import { X509Certificate } from "node:crypto";
import { readStore, storeType } from "../keystores/read.ts";
import { type Authorities, authoritiesOf } from "./pem.ts";

/** DER and key stores; anything else is taken for text. */
export function isBinary(bytes: Buffer): boolean {
  return bytes[0] === 0x30 || storeType(bytes) !== null;
}

/**
 * A certificate in DER, or all certificates of a store that are entries of their own. Without a password JKS, JCEKS and BKS are read
 * without comparing their checksum, as Java does too.
 */
export function loadTrustStore(bytes: Buffer, password: string | null): Authorities {
  try {
    if (storeType(bytes) === null) return authoritiesOf([new X509Certificate(bytes)]);
    const store = readStore(bytes, password);
    if (store.kind === "error")
      return {
        kind: "error",
        code: store.reason === "password" ? "key-password" : "authority-invalid",
        message:
          store.reason === "password" && password === null
            ? "the store is encrypted: give caPassword or caPasswordFile"
            : store.message,
      };
    const entries = store.entries
      .filter((entry) => entry.kind === "certificate")
      .flatMap((entry) => entry.certificates);
    // Beside a key, certificates that are no entries of their own are its chain; without one they are what the store is for.
    const others = store.entries.some((entry) => entry.kind === "key") ? [] : store.loose;
    const certificates = [...entries, ...others].map((der) => new X509Certificate(der));
    if (certificates.length === 0)
      return {
        kind: "error",
        code: "authority-invalid",
        message: "holds no certificate of an authority, only keys",
      };
    return authoritiesOf(certificates);
  } catch {
    return { kind: "error", code: "authority-invalid", message: "a certificate in it cannot be read: it is damaged" };
  }
}
