// Any key store: the bytes decide what it is, because today's keytool writes PKCS#12 into a file named .jks.

import { looksLikeBks, readBks } from "./bks.ts";
import { JCEKS_MAGIC, JKS_MAGIC, readJavaStore } from "./java.ts";
import { readPkcs12 } from "./pkcs12.ts";
import { MAX_STORE_BYTES, type Store, type StoreError, type StoreType } from "./store.ts";

const PFX_VERSION = Buffer.from([0x02, 0x01, 3]);

/** What the bytes are, by their first ones; null for what is no key store. */
export function storeType(bytes: Buffer): StoreType | null {
  if (bytes.length < 12) return null;
  const magic = bytes.readUInt32BE(0);
  if (magic === JKS_MAGIC) return "JKS";
  if (magic === JCEKS_MAGIC) return "JCEKS";
  // SEQUENCE { INTEGER 3, ... }; a certificate has a SEQUENCE in that place, a private key a smaller number.
  if (bytes[0] === 0x30) {
    const header = bytes[1]! > 0x80 ? 2 + (bytes[1]! & 0x7f) : 2;
    return header <= 6 && bytes.subarray(header, header + 3).equals(PFX_VERSION) ? "PKCS12" : null;
  }
  return looksLikeBks(bytes) ? "BKS" : null;
}

/**
 * Reads a key store. `password` is the store's; null is for who only wants to look: JKS, JCEKS and BKS then go unchecked, and
 * PKCS#12 cannot be read.
 */
export function readStore(bytes: Buffer, password: string | null): Store | StoreError {
  if (bytes.length > MAX_STORE_BYTES)
    return { kind: "error", reason: "limit", message: `it is larger than ${MAX_STORE_BYTES} bytes` };
  const type = storeType(bytes);
  switch (type) {
    case "PKCS12":
      if (password === null) return { kind: "error", reason: "password", message: "it needs a password" };
      return readPkcs12(bytes, password);
    case "JKS":
    case "JCEKS":
      return readJavaStore(bytes, password);
    case "BKS":
      return readBks(bytes, password);
    case null:
      return { kind: "error", reason: "damaged", message: "it is neither PKCS#12, JKS, JCEKS nor BKS" };
  }
}
