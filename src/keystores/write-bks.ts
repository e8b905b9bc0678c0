// Writes BKS, versions 1 and 2, as BouncyCastle does (see bks.ts): what apps on Android have in their resources.

import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { ENTRY, macKey, PRIVATE, secretOf } from "./bks.ts";
import { asGiven, CannotWrite, type NewEntry, soundEntries } from "./new-entry.ts";
import { derivePkcs12, PURPOSE } from "./pbe.ts";
import { Rounds } from "./store.ts";
import { Writer } from "./writer.ts";

/** STORE_SALT_SIZE and KEY_SALT_SIZE of BcKeyStoreSpi. Bytes. */
const SALT = 20;
/** BouncyCastle takes 1024 to 2047 at random (MIN_ITERATIONS of BcKeyStoreSpi); the most of it is a little better. */
const ITERATIONS = 2047;

/** What BouncyCastle calls the algorithm of a key in PKCS#8. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.1": "RSA",
  "1.2.840.113549.1.1.10": "RSA", // RSASSA-PSS
  "1.2.840.10045.2.1": "EC",
  "1.2.840.10040.4.1": "DSA",
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
};

/**
 * Writes a BKS store. Version 1 is for BouncyCastle before 1.47; the key of its checksum has 16 bits (CVE-2018-5382). The store's password
 * seals the keys too, unless `keyPassword` is given. BouncyCastle tells aliases with capital letters apart. With an empty password it
 * compares no checksum.
 * @throws CannotWrite
 */
export function writeBks(
  entries: readonly NewEntry[],
  password: string,
  version: 1 | 2,
  keyPassword = password,
): Buffer {
  const sound = soundEntries(entries, asGiven);
  const now = Date.now();
  const body = new Writer();
  for (const entry of sound) {
    const isKey = entry.kind === "key";
    body
      .u8(isKey ? ENTRY.sealed : ENTRY.certificate)
      .text(entry.alias)
      .date(now);
    if (!isKey) body.u32(0).certificate(entry.certificate);
    else {
      body.u32(entry.certificates.length);
      for (const certificate of entry.certificates) body.certificate(certificate);
      body.bytes(seal(entry.pkcs8, keyPassword));
    }
  }
  const content = body.u8(ENTRY.end).content;
  const salt = randomBytes(SALT);
  const mac = createHmac("sha1", macKey(version, { salt, iterations: ITERATIONS, password }))
    .update(content)
    .digest();
  return new Writer().u32(version).bytes(salt).u32(ITERATIONS).raw(content).raw(mac).content;
}

/** PBEWithSHAAnd3-KeyTripleDES-CBC over the encoded key; bks.ts opens it. */
function seal(pkcs8: Buffer, password: string): Buffer {
  const salt = randomBytes(SALT);
  const secret = secretOf(password);
  const derive = (purpose: number, size: number) =>
    derivePkcs12("sha1", secret, salt, ITERATIONS, purpose, size, new Rounds());
  const cipher = createCipheriv("des-ede3-cbc", derive(PURPOSE.key, 24), derive(PURPOSE.iv, 8));
  const plain = new Writer().u8(PRIVATE).text("PKCS#8").text(algorithmOf(pkcs8)).bytes(pkcs8).content;
  return new Writer()
    .bytes(salt)
    .u32(ITERATIONS)
    .raw(Buffer.concat([cipher.update(plain), cipher.final()])).content;
}

function algorithmOf(pkcs8: Buffer): string {
  const [, algorithm] = expect(parse(pkcs8), TAG.sequence, "the private key").children();
  const [identifier] = expect(algorithm, TAG.sequence, "its algorithm").children();
  const oid = expect(identifier, TAG.oid, "its algorithm").oid();
  const name = ALGORITHMS[oid];
  if (name === undefined) throw new CannotWrite(`BouncyCastle has no name for keys of the kind ${oid}`);
  return name;
}
