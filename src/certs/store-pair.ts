// A certificate with its key out of a key store.

import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readStore, storeType } from "../keystores/read.ts";
import type { Store, StoreEntry, StoreType } from "../keystores/store.ts";
import { certify, type Loaded } from "./pem.ts";

export interface StoreRequest {
  readonly type: StoreType | undefined;
  readonly storePassword: string | null;
  readonly keyPassword: string | null;
  readonly alias: string | undefined;
}

const NO_PASSWORD = "the store is encrypted: give keyStorePassword or keyStorePasswordFile";

type Failure = Extract<Loaded, { kind: "error" }>;

/** Aliases in a message, and characters of each. */
const MAX_NAMED = 10;
const MAX_SHOWN = 100;

const cache = new Map<string, Loaded>();
const CACHE_LIMIT = 10_000;

/** Loads the wanted entry of a store. Errors never quote a password. */
export function loadFromStore(bytes: Buffer, request: StoreRequest): Loaded {
  // Deriving keys takes a tenth of a second per store, which an unchanged one need not cost at every reload.
  const key = createHash("sha256").update(JSON.stringify(request)).update("\0").update(bytes).digest("hex");
  let loaded = cache.get(key);
  if (loaded === undefined) {
    loaded = load(bytes, request);
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(key, loaded);
  }
  return loaded;
}

function load(bytes: Buffer, request: StoreRequest): Loaded {
  // PKCS#12 can be made without a password, which is then the empty one; the other kinds can be read unchecked.
  const password = request.storePassword ?? (storeType(bytes) === "PKCS12" ? "" : null);
  const store = readStore(bytes, password);
  if (store.kind === "error")
    return fail(
      store.reason === "password" ? "password" : "certificate",
      store.reason === "password" && request.storePassword === null ? NO_PASSWORD : store.message,
    );
  const entry = choose(store, request.alias);
  if (entry.kind === "error") return entry;
  const opened = openKey(store, entry, request);
  if (opened.kind === "error") return opened;
  // keytool writes a certificate once, so one that is trusted too may be missing in the chain.
  const trusted = store.entries.flatMap((each) => (each.kind === "certificate" ? each.certificates : []));
  let certificates: X509Certificate[];
  try {
    certificates = [...entry.certificates, ...store.loose, ...trusted].map((der) => new X509Certificate(der));
  } catch {
    return fail("certificate", "a certificate in it cannot be read: it is damaged");
  }
  if (certificates.length === 0) return fail("certificate", "it holds no certificate for its private key");
  // The same certificate and key are one pair, from whatever file they come.
  const hash = createHash("sha256").update("store\0");
  for (const certificate of certificates) hash.update(certificate.raw);
  hash.update(opened.key.export({ type: "pkcs8", format: "der" }));
  const loaded = certify(hash.digest("hex"), certificates, opened.key, "expected");
  if (loaded.kind === "error") return loaded;
  const warnings = [...loaded.facts.warnings];
  if (request.type !== undefined && request.type !== store.type)
    warnings.push({
      code: "key-store-type",
      message: `keyStoreType is ${request.type}, but the file is ${store.type} and is read as that`,
    });
  return { ...loaded, facts: { ...loaded.facts, warnings } };
}

/** The wanted entry, or the only one that has a key. */
function choose(store: Store, alias: string | undefined): StoreEntry | Failure {
  const keys = store.entries.filter((entry) => entry.key !== null);
  const names = keys.slice(0, MAX_NAMED).map((entry) => quoted(entry.alias));
  if (keys.length > MAX_NAMED) names.push("...");
  if (keys.length === 0) return fail("certificate", "it holds no private key, only certificates");
  if (alias === undefined) {
    if (keys.length === 1) return keys[0]!;
    return fail("certificate", `it holds ${keys.length} private keys: name one with keyAlias (${names.join(", ")})`);
  }
  // Java stores fold case, and keytool writes aliases in lower case.
  const found =
    keys.find((entry) => entry.alias === alias) ??
    keys.find((entry) => entry.alias.toLowerCase() === alias.toLowerCase());
  return (
    found ??
    fail("certificate", `it holds no private key under the alias ${quoted(alias)}, but under ${names.join(", ")}`)
  );
}

/** The key's own password, or else the store's: keytool makes both the same unless it is told otherwise. */
function openKey(store: Store, entry: StoreEntry, request: StoreRequest): { kind: "ok"; key: KeyObject } | Failure {
  const tried = request.keyPassword ?? request.storePassword ?? "";
  let opened = entry.key!(tried);
  // PKCS#12 has one password for all, whatever keytool was given for the key: it says so and ignores the other one.
  if (
    store.type === "PKCS12" &&
    opened.kind === "error" &&
    opened.reason === "password" &&
    request.keyPassword !== null &&
    request.storePassword !== null
  )
    opened = entry.key!(request.storePassword);
  if (opened.kind === "error") {
    if (opened.reason !== "password") return fail("key", `the private key ${quoted(entry.alias)}: ${opened.message}`);
    if (request.keyPassword === null && request.storePassword === null) return fail("password", NO_PASSWORD);
    const why =
      request.keyPassword === null ? "it has a password of its own, so give keyPassword" : "keyPassword is wrong";
    return fail("password", `the private key ${quoted(entry.alias)} does not open: ${why}`);
  }
  try {
    return { kind: "ok", key: createPrivateKey({ key: opened.pkcs8, format: "der", type: "pkcs8" }) };
  } catch {
    return fail("key", `the private key ${quoted(entry.alias)} is damaged or of an unknown kind`);
  }
}

/** An alias as it can be shown: it comes from a file, and messages end up in terminals. */
function quoted(alias: string): string {
  return JSON.stringify(alias.slice(0, MAX_SHOWN)).replace(/[^\x20-\x7e\u00a0-\u2027\u202f-\ud7ff]/g, "?");
}

const CODES = { certificate: "key-store", key: "key-invalid", password: "key-password" } as const;

function fail(part: keyof typeof CODES, message: string): Failure {
  return { kind: "error", part, code: CODES[part], message };
}
