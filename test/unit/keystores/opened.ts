// How tests look at a key store: by what belongs to each alias in it.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { readPem } from "../../../src/certs/pem-blocks.ts";
import { readStore } from "../../../src/keystores/read.ts";
import type { Store, StoreEntry, StoreError } from "../../../src/keystores/store.ts";

/** A store that must be readable. */
export function opened(file: string, password: string | null): Store {
  const store = readStore(readFileSync(file), password);
  if (store.kind === "error") throw new Error(`${file}: ${store.reason}: ${store.message}`);
  return store;
}

/** Why a store cannot be read. */
export function refused(file: string, password: string | null): StoreError["reason"] {
  const store = readStore(readFileSync(file), password);
  if (store.kind === "ok") throw new Error(`${file} can be read`);
  return store.reason;
}

export function entryOf(store: Store, alias: string): StoreEntry {
  const found = store.entries.filter((entry) => entry.alias === alias);
  if (found.length !== 1) throw new Error(`${found.length} entries are called ${alias}`);
  return found[0]!;
}

/** The private key of an entry, which must open. */
export function keyOf(entry: StoreEntry, password: string): KeyObject {
  const key = entry.key!(password);
  if (key.kind === "error") throw new Error(`${key.reason}: ${key.message}`);
  return createPrivateKey({ key: key.pkcs8, format: "der", type: "pkcs8" });
}

/** Whether the key of an entry opens, and belongs to the entry's first certificate. */
export function belongs(entry: StoreEntry, password: string): boolean {
  return new X509Certificate(entry.certificates[0]!).checkPrivateKey(keyOf(entry, password));
}

/** The certificates in a PEM file or text, in DER. */
export function derOf(pem: string): Buffer[] {
  const text = pem.includes("-----BEGIN") ? pem : readFileSync(pem, "utf8");
  return readPem(text).blocks.map((block) => Buffer.from(block.body, "base64"));
}
