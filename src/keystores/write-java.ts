// Writes JKS and JCEKS as Java does (see java.ts). Both are for programs that know nothing else: what seals their keys is weak, and
// PKCS#12 is what Java itself has written since version 9.

import { EncryptedData, EncryptedPrivateKeyInfo } from "@peculiar/asn1-pkcs8";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { Integer, OctetString, Sequence } from "asn1js";
import { checksumOf, ENTRY, JCEKS_MAGIC, JKS_MAGIC } from "./java.ts";
import { CannotWrite, lowerCase, type NewEntry, soundEntries } from "./new-entry.ts";
import { SUN_JCEKS, SUN_JKS, sealSunJceks, sealSunJks } from "./sun.ts";
import { Writer } from "./writer.ts";

const VERSION = 2;
/** What Java has written since 8u161 (DEFAULT_ITERATION_COUNT of com.sun.crypto.provider.KeyProtector). */
const JCEKS_ITERATIONS = 200_000;
/** What Java takes for a password of PBE (com.sun.crypto.provider.PBEKey). */
const ASCII = /^[\x20-\x7e]*$/;

/**
 * Writes a JKS store. `keyPassword` seals the keys; without one, the store's does. Aliases are in lower case, as Java looks for them. Any
 * password can be had, the empty one too, though keytool itself wants six characters.
 * @throws CannotWrite
 */
export function writeJks(entries: readonly NewEntry[], password: string, keyPassword = password): Buffer {
  return write(JKS_MAGIC, entries, password, (pkcs8) => encryptedKey(SUN_JKS, null, sealSunJks(pkcs8, keyPassword)));
}

/** The same for JCEKS, whose keys need a password in ASCII. @throws CannotWrite */
export function writeJceks(entries: readonly NewEntry[], password: string, keyPassword = password): Buffer {
  return write(JCEKS_MAGIC, entries, password, (pkcs8) => {
    if (!ASCII.test(keyPassword))
      throw new CannotWrite(
        "Java opens keys in JCEKS only with a password in ASCII: choose another one, or another format",
      );
    const { salt, sealed } = sealSunJceks(pkcs8, JCEKS_ITERATIONS, keyPassword);
    const parameters = new Sequence({
      value: [new OctetString({ valueHex: salt }), new Integer({ value: JCEKS_ITERATIONS })],
    });
    return encryptedKey(SUN_JCEKS, parameters.toBER(), sealed);
  });
}

function write(magic: number, entries: readonly NewEntry[], password: string, seal: (pkcs8: Buffer) => Buffer): Buffer {
  const sound = soundEntries(entries, lowerCase);
  const now = Date.now();
  const writer = new Writer().u32(magic).u32(VERSION).u32(sound.length);
  for (const entry of sound) {
    writer.u32(ENTRY[entry.kind]).text(entry.alias).date(now);
    if (entry.kind === "certificate") writer.certificate(entry.certificate);
    else {
      writer.bytes(seal(entry.pkcs8)).u32(entry.certificates.length);
      for (const certificate of entry.certificates) writer.certificate(certificate);
    }
  }
  return writer.raw(checksumOf(writer.content, password)).content;
}

/** `parameters` in DER; null is the NULL of ASN.1. */
function encryptedKey(algorithm: string, parameters: ArrayBuffer | null, sealed: Buffer): Buffer {
  const info = new EncryptedPrivateKeyInfo({
    encryptionAlgorithm: new AlgorithmIdentifier({ algorithm, parameters }),
    encryptedData: new EncryptedData(sealed),
  });
  return Buffer.from(AsnConvert.serialize(info));
}
