// BouncyCastle's BKS, versions 0 to 2. The order of fields is that of org.bouncycastle.jcajce.provider.keystore.bc.BcKeyStoreSpi.

import { createHmac, timingSafeEqual } from "node:crypto";
import { Malformed } from "../asn1/ber.ts";
import { bmpPassword, decipher, derivePkcs12, open, PURPOSE, privateKey } from "./pbe.ts";
import { Reader } from "./reader.ts";
import { guarded, MAX_ENTRIES, Rounds, type Store, type StoreEntry, type StoreError, StoreProblem } from "./store.ts";

export const ENTRY = { end: 0, certificate: 1, key: 2, secret: 3, sealed: 4 } as const;
export const PRIVATE = 0;
export const MAC = 20;
/** BouncyCastle writes 20 bytes. */
const MAX_SALT = 1024;

/** Reads a store. Its password only guards a MAC; null leaves it unchecked. Each sealed key has its own password. */
export function readBks(bytes: Buffer, password: string | null): Store | StoreError {
  return guarded(() => read(bytes, password));
}

/** Whether the bytes begin as a BKS store does. */
export function looksLikeBks(bytes: Buffer): boolean {
  if (bytes.length < 16 || bytes.readUInt32BE(0) > 2) return false;
  const salt = bytes.readUInt32BE(4);
  return salt > 0 && salt <= MAX_SALT && bytes.length > 12 + salt;
}

function read(bytes: Buffer, password: string | null): Store {
  const reader = new Reader(bytes);
  const version = reader.u32();
  if (version > 2) throw new StoreProblem("unsupported", "it is BKS of an unknown version");
  const salt = reader.bytes();
  if (salt.length === 0 || salt.length > MAX_SALT) throw new Malformed("the salt has the wrong length");
  const iterations = reader.u32();
  // Without a password BouncyCastle neither makes nor checks a MAC that means anything.
  const verified = password !== null && password !== "";
  if (verified) verify(bytes, reader.at, version, { salt, iterations, password });
  const entries: StoreEntry[] = [];
  let others = 0;
  for (let tag = reader.u8(); tag !== ENTRY.end; tag = reader.u8()) {
    if (entries.length + others >= MAX_ENTRIES)
      throw new StoreProblem("limit", `it has more than ${MAX_ENTRIES} entries`);
    const alias = reader.text();
    reader.skipDate();
    const chain = reader.u32();
    if (chain > MAX_ENTRIES) throw new StoreProblem("limit", `a chain has more than ${MAX_ENTRIES} certificates`);
    const certificates: Buffer[] = [];
    for (let i = 0; i < chain; i++) certificates.push(certificate(reader));
    if (tag === ENTRY.certificate) {
      entries.push({ alias, kind: "certificate", certificates: [certificate(reader)], key: null });
    } else if (tag === ENTRY.key) {
      const pkcs8 = plainKey(reader);
      if (pkcs8 === null) others++;
      else entries.push({ alias, kind: "key", certificates, key: () => ({ kind: "ok", pkcs8 }) });
    } else if (tag === ENTRY.secret) {
      reader.bytes();
      others++;
    } else if (tag === ENTRY.sealed) {
      const sealed = reader.bytes();
      const key = (secret: string) => guarded(() => ({ kind: "ok", pkcs8: unseal(sealed, secret) }) as const);
      // A sealed entry without a certificate is a secret key.
      if (certificates.length > 0) entries.push({ alias, kind: "key", certificates, key });
      else others++;
    } else throw new Malformed("an entry of unknown kind");
  }
  if (reader.left !== MAC) throw new Malformed("it has a wrong length");
  return { kind: "ok", type: "BKS", entries, loose: [], others, verified };
}

function certificate(reader: Reader): Buffer {
  reader.text(); // always X.509
  return reader.bytes();
}

/** A key as BouncyCastle encodes it; null for one that is not private. */
function plainKey(reader: Reader): Buffer | null {
  const kind = reader.u8();
  const format = reader.text();
  reader.text(); // the algorithm, which PKCS#8 says too
  const encoded = reader.bytes();
  return kind === PRIVATE && format.toUpperCase().startsWith("PKCS") ? encoded : null;
}

/** Unlike PKCS#12, BouncyCastle takes no password as no bytes at all. */
export function secretOf(password: string): Buffer {
  return password === "" ? Buffer.alloc(0) : bmpPassword(password);
}

/** PBEWithSHAAnd3-KeyTripleDES-CBC over the encoded key. */
function unseal(sealed: Buffer, password: string): Buffer {
  const rounds = new Rounds();
  const reader = new Reader(sealed);
  const salt = reader.bytes();
  const iterations = reader.u32();
  const secret = secretOf(password);
  const desKey = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.key, 24, rounds);
  const iv = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.iv, 8, rounds);
  const encrypted = reader.take(reader.left);
  return open(() => {
    const key = plainKey(new Reader(decipher("des-ede3-cbc", desKey, iv, encrypted)));
    if (key === null) throw new Malformed("it is no private key");
    return privateKey(key);
  });
}

interface MacParameters {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly password: string;
}

function verify(bytes: Buffer, start: number, version: number, parameters: MacParameters): void {
  const end = bytes.length - MAC;
  if (end <= start) throw new Malformed("it ends too early");
  const mac = createHmac("sha1", macKey(version, parameters)).update(bytes.subarray(start, end)).digest();
  if (!timingSafeEqual(mac, bytes.subarray(end)))
    throw new StoreProblem("password", "the store's password is wrong, or the file is damaged");
}

/** Of HMAC-SHA1 over the entries. Versions 0 and 1 took the key's length for bits and so have one of two bytes. */
export function macKey(version: number, { salt, iterations, password }: MacParameters): Buffer {
  const size = version === 2 ? MAC : MAC >> 3;
  return derivePkcs12("sha1", secretOf(password), salt, iterations, PURPOSE.mac, size, new Rounds());
}
