// Sun's JKS and JCEKS, as `keytool -storetype JKS` and `-storetype JCEKS` write them. The format has no specification of its own; the
// order of fields is that of sun.security.provider.JavaKeyStore in OpenJDK.

import { createHash, timingSafeEqual } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { decrypt, privateKey, saltAndRounds, utf16be } from "./pbe.ts";
import { Reader } from "./reader.ts";
import { guarded, MAX_ENTRIES, Rounds, type Store, type StoreEntry, type StoreError, StoreProblem } from "./store.ts";
import { openSunJceks, openSunJks, SUN_JCEKS, SUN_JKS } from "./sun.ts";

export const JKS_MAGIC = 0xfeedfeed;
export const JCEKS_MAGIC = 0xcececece;

const CHECKSUM = 20;

export const ENTRY = { key: 1, certificate: 2, secret: 3 } as const;

/** Reads a store. Its password only guards a checksum; null leaves it unchecked. Each key has its own password. */
export function readJavaStore(bytes: Buffer, password: string | null): Store | StoreError {
  return guarded(() => read(bytes, password));
}

function read(bytes: Buffer, password: string | null): Store {
  const reader = new Reader(bytes);
  const type = reader.u32() === JKS_MAGIC ? "JKS" : "JCEKS";
  const version = reader.u32();
  if (version !== 1 && version !== 2) throw new StoreProblem("unsupported", `it is ${type} of an unknown version`);
  const count = reader.u32();
  if (count > MAX_ENTRIES) throw new StoreProblem("limit", `it has more than ${MAX_ENTRIES} entries`);
  // Before anything else: a store with a wrong password is not called damaged.
  if (password !== null) verify(bytes, password);
  const entries: StoreEntry[] = [];
  for (let i = 0; i < count; i++) {
    const tag = reader.u32();
    const alias = reader.text();
    reader.skipDate();
    if (tag === ENTRY.key) {
      const sealed = reader.bytes();
      const certificates: Buffer[] = [];
      const chain = reader.u32();
      if (chain > MAX_ENTRIES) throw new StoreProblem("limit", `a chain has more than ${MAX_ENTRIES} certificates`);
      for (let each = 0; each < chain; each++) certificates.push(certificate(reader, version));
      const key = (secret: string) => guarded(() => ({ kind: "ok", pkcs8: unseal(sealed, secret) }) as const);
      entries.push({ alias, kind: "key", certificates, key });
    } else if (tag === ENTRY.certificate) {
      entries.push({ alias, kind: "certificate", certificates: [certificate(reader, version)], key: null });
    } else if (tag === ENTRY.secret) {
      throw new StoreProblem(
        "unsupported",
        "it also holds a secret key, whose entry only Java can read: export the certificate's entry into a store of its own (keytool -importkeystore -srcalias)",
      );
    } else throw new StoreProblem("damaged", "it is damaged: an entry of unknown kind");
  }
  if (reader.left !== CHECKSUM) throw new StoreProblem("damaged", "it is damaged or truncated");
  return { kind: "ok", type, entries, loose: [], others: 0, verified: password !== null };
}

function certificate(reader: Reader, version: number): Buffer {
  if (version === 2) reader.text(); // always X.509
  return reader.bytes();
}

/** What a store ends with: SHA-1 over the password, a constant, and all that is before it. */
export function checksumOf(content: Buffer, password: string): Buffer {
  return createHash("sha1").update(utf16be(password)).update("Mighty Aphrodite").update(content).digest();
}

function verify(bytes: Buffer, password: string): void {
  if (bytes.length < 12 + CHECKSUM) throw new StoreProblem("damaged", "it is damaged or truncated");
  const end = bytes.length - CHECKSUM;
  if (!timingSafeEqual(checksumOf(bytes.subarray(0, end), password), bytes.subarray(end)))
    throw new StoreProblem("password", "the store's password is wrong, or the file is damaged");
}

/** EncryptedPrivateKeyInfo with one of Sun's own algorithms, or a standard one. */
function unseal(sealed: Buffer, password: string): Buffer {
  const rounds = new Rounds();
  const [algorithm, data] = expect(parse(sealed), TAG.sequence, "the private key").children();
  const [identifier, parameters] = expect(algorithm, TAG.sequence, "the private key's algorithm").children();
  const encrypted = expect(data, TAG.octets, "the private key").octets();
  const oid = expect(identifier, TAG.oid, "the private key's algorithm").oid();
  if (oid === SUN_JKS) return privateKey(openSunJks(encrypted, password));
  if (oid === SUN_JCEKS) {
    const { salt, iterations } = saltAndRounds(parameters);
    return privateKey(openSunJceks(salt, iterations, encrypted, password, rounds));
  }
  return privateKey(decrypt(algorithm!, encrypted, password, rounds));
}
