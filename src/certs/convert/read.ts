// Reads any file of certificates and keys as material for another one.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readStore, storeType } from "../../keystores/read.ts";
import type { Store, StoreEntry } from "../../keystores/store.ts";
import { contentOf } from "../content.ts";
import { orderChain } from "../issuers.ts";
import { isCertificate, isPrivateKey, looksLikePem, type PemBlock, readPem } from "../pem-blocks.ts";
import { openKey } from "../private-key.ts";
import { describeWrongContent } from "../wrong-content.ts";
import { CannotConvert, Locked, type Material, nameOf, type Part } from "./material.ts";

export interface ReadPasswords {
  /** Of a store, or of a key in PEM or DER; null: none was given. */
  readonly store: string | null;
  /** Of a key with one of its own. */
  readonly key: string | null;
}

/** A file in PEM or DER: it gives no names, and says nothing of what belongs together. */
export interface Pieces {
  readonly format: "PEM" | "DER";
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
  readonly notes: readonly string[];
}

/** Reads a file. `alias` opens that entry of a store alone. @throws CannotConvert, Locked */
export function readMaterial(bytes: Buffer, passwords: ReadPasswords, alias: string | null): Material {
  if (storeType(bytes) !== null) return readStoreParts(bytes, passwords, alias);
  if (alias !== null)
    throw new CannotConvert("it has no aliases: --alias is for key stores (--outAlias names the entry)");
  return together(readPieces(bytes, passwords));
}

/** @throws CannotConvert, Locked */
export function readPieces(bytes: Buffer, passwords: ReadPasswords): Pieces {
  const password = passwords.key ?? passwords.store;
  if (looksLikePem(bytes)) return readPemPieces(bytes.toString("latin1"), password);
  const content = contentOf(bytes);
  if (content.form === "DER" && content.thing === "certificate")
    return { format: "DER", keys: [], certificates: [new X509Certificate(bytes)], notes: [] };
  if (content.form !== "DER" || content.thing !== "private key")
    throw new CannotConvert(
      `it ${describeWrongContent(bytes, "certificate") ?? "is neither PEM, DER, PKCS#12, JKS, JCEKS nor BKS, or it is damaged"}`,
    );
  return { format: "DER", keys: [openDerKey(bytes, password)], certificates: [], notes: [] };
}

/** Keys with the certificates that belong to them, and the other certificates alone. @throws CannotConvert for a key that fits none */
export function together({ format, keys, certificates, notes }: Pieces): Material {
  const unclaimed = new Set(certificates);
  const parts = keys.map((key): Part => {
    const leaf = certificates.find((each) => each.checkPrivateKey(key));
    if (leaf === undefined && certificates.length > 0)
      throw new CannotConvert("the private key belongs to none of the certificates");
    const chain = leaf === undefined ? [] : orderChain(leaf, certificates).chain;
    for (const each of chain) unclaimed.delete(each);
    return { alias: null, pkcs8: pkcs8Of(key), certificates: chain };
  });
  return { format, parts: [...parts, ...[...unclaimed].map(alone)], notes };
}

/** A certificate without a key. */
export function alone(certificate: X509Certificate): Part {
  return { alias: null, pkcs8: null, certificates: [certificate] };
}

function pkcs8Of(key: KeyObject): Buffer {
  return key.export({ type: "pkcs8", format: "der" }) as Buffer;
}

function readPemPieces(text: string, password: string | null): Pieces {
  const { blocks, flaw } = readPem(text);
  if (flaw !== null) throw new CannotConvert(`line ${flaw.line}: ${flaw.message}`);
  const certificates = blocks
    .filter(isCertificate)
    .map(({ pem, line }) => parsed(pem, `line ${line}: the certificate that begins there is damaged`));
  const keys = blocks.filter(isPrivateKey).map((block) => opened(block, password));
  if (certificates.length === 0 && keys.length === 0)
    throw new CannotConvert("it holds neither a certificate nor a private key");
  const others = blocks.filter((block) => !isCertificate(block) && !isPrivateKey(block));
  return { format: "PEM", keys, certificates, notes: others.map(({ label }) => `left out: ${label}`) };
}

function opened(block: PemBlock, password: string | null): KeyObject {
  const key = openKey(block, password);
  if (key.kind === "ok") return key.key;
  if (key.part === "key") throw new CannotConvert(key.message);
  throw new Locked("store", password === null ? ENCRYPTED : key.message);
}

/** PKCS#8, encrypted or not, PKCS#1 or SEC1. */
function openDerKey(der: Buffer, password: string | null): KeyObject {
  const body = der.toString("base64");
  for (const label of ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]) {
    const key = openKey({ label, body, line: 1, pem: pemOf(label, body) }, null);
    if (key.kind === "ok") return key.key;
  }
  const label = "ENCRYPTED PRIVATE KEY";
  return opened({ label, body, line: 1, pem: pemOf(label, body) }, password);
}

function pemOf(label: string, body: string): string {
  return `-----BEGIN ${label}-----\n${body.replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;
}

const ENCRYPTED = "it is encrypted and needs a password";

function parsed(certificate: string | Buffer, otherwise: string): X509Certificate {
  try {
    return new X509Certificate(certificate);
  } catch {
    throw new CannotConvert(otherwise);
  }
}

const DAMAGED = "a certificate in it cannot be read: it is damaged";

function readStoreParts(bytes: Buffer, passwords: ReadPasswords, alias: string | null): Material {
  // PKCS#12 may have the empty password; the others can be read unchecked, but what is carried over should be what was written.
  const type = storeType(bytes)!;
  const store = readStore(bytes, passwords.store ?? (type === "PKCS12" ? "" : null));
  if (store.kind === "error") {
    if (store.reason !== "password") throw new CannotConvert(store.message);
    throw new Locked("store", passwords.store === null ? ENCRYPTED : store.message);
  }
  const loose = store.loose.map((der) => parsed(der, DAMAGED));
  const unclaimed = new Set(loose);
  const parts = chosen(store, alias).map((entry): Part => {
    const own = entry.certificates.map((der) => parsed(der, DAMAGED));
    const named = { alias: entry.alias === "" ? null : entry.alias };
    if (entry.key === null) return { ...named, pkcs8: null, certificates: own };
    const pkcs8 = openEntry(store, entry, passwords);
    const certificates = own.length > 1 ? own : chainOf(own[0], pkcs8, [...loose, ...trusted(store)]);
    for (const each of certificates) unclaimed.delete(each);
    return { ...named, pkcs8, certificates };
  });
  const rest = alias === null ? [...unclaimed].map(alone) : [];
  if (parts.length + rest.length === 0) throw new CannotConvert("it is empty");
  const notes: string[] = [];
  if (store.others > 0)
    notes.push(`left out: ${store.others} that are neither private keys nor certificates, such as secret keys`);
  if (!store.verified)
    notes.push("what was read is not checked for damage: there was no password, or the store has no checksum");
  return { format: type, parts: [...parts, ...rest], notes };
}

function chosen({ entries }: Store, alias: string | null): readonly StoreEntry[] {
  if (alias === null) return entries;
  const found =
    entries.find((entry) => entry.alias === alias) ??
    entries.find((entry) => entry.alias.toLowerCase() === alias.toLowerCase());
  if (found !== undefined) return [found];
  const names = entries.map((entry) => JSON.stringify(entry.alias)).slice(0, MAX_NAMED);
  throw new CannotConvert(`it has no entry ${JSON.stringify(alias)}, but ${names.join(", ")}`);
}

/** Aliases in a message. */
export const MAX_NAMED = 10;

function trusted({ entries }: Store): X509Certificate[] {
  const ders = entries.filter(({ kind }) => kind === "certificate").flatMap(({ certificates }) => certificates);
  return ders.map((der) => parsed(der, DAMAGED));
}

function openEntry(store: Store, entry: StoreEntry, { store: common, key: own }: ReadPasswords): Buffer {
  let key = entry.key!(own ?? common ?? "");
  // PKCS#12 has one password for all, whatever is given for the key.
  if (key.kind === "error" && key.reason === "password" && own !== null && common !== null) key = entry.key!(common);
  if (key.kind === "ok") return key.pkcs8;
  const message = `the private key ${JSON.stringify(entry.alias)}: ${key.message}`;
  if (key.reason !== "password") throw new CannotConvert(message);
  if (common === null && own === null && store.type !== "PKCS12") throw new Locked("store", ENCRYPTED);
  throw new Locked("key", message);
}

/** The chain of a key whose store does not say it. */
function chainOf(own: X509Certificate | undefined, pkcs8: Buffer, others: X509Certificate[]): X509Certificate[] {
  const leaf = own ?? others.find((each) => fits(each, pkcs8));
  return leaf === undefined ? [] : orderChain(leaf, others).chain;
}

function fits(certificate: X509Certificate, pkcs8: Buffer): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
  } catch {
    return false; // of a kind that the runtime does not know
  }
}

/** The one part that a format without entries can hold. @throws CannotConvert */
export function onlyPart({ parts }: Material): Part {
  if (parts.length === 1) return parts[0]!;
  const names = parts.slice(0, MAX_NAMED).map(nameOf);
  if (parts.length > MAX_NAMED) names.push("...");
  throw new CannotConvert(
    `DER holds one certificate or one private key, and there are ${parts.length}: ${names.join(", ")}. --alias takes one out of a store`,
  );
}
