// Builds key stores piece by piece, with numbers and sizes that no tool would write.

import { createHash, createHmac } from "node:crypto";
import { parse, TAG } from "../../../src/asn1/ber.ts";
import { bmpPassword, derivePkcs12, PURPOSE, utf16be } from "../../../src/keystores/pbe.ts";
import { Rounds } from "../../../src/keystores/store.ts";
import { der, dottedOid, integer, NULL, octets, sequence, set, tagged } from "../../support/der.ts";
import { PASSWORD } from "./hostile.ts";

export const DATA = dottedOid("1.2.840.113549.1.7.1");
export const ENCRYPTED_DATA = dottedOid("1.2.840.113549.1.7.6");
const BAG = "1.2.840.113549.1.12.10.1.";
export const SHA1 = sequence(dottedOid("1.3.14.3.2.26"), NULL);
export const SALT = octets(Buffer.from("saltsalt"));

export const data = (content: Buffer) => sequence(DATA, tagged(0, octets(content)));
export const pfx = (parts: readonly Buffer[], ...mac: Buffer[]) =>
  sequence(integer(3), data(sequence(...parts)), ...mac);
export const bag = (kind: number, value: Buffer) => sequence(dottedOid(BAG + kind), tagged(0, value));
export const encrypted = (algorithm: Buffer) =>
  sequence(ENCRYPTED_DATA, tagged(0, sequence(integer(0), sequence(DATA, algorithm, der(0x80, Buffer.alloc(16))))));
export const pbe = (kind: number, iterations: Buffer) =>
  sequence(dottedOid(`1.2.840.113549.1.12.1.${kind}`), sequence(SALT, iterations));
const pbkdf2 = (iterations: Buffer, ...more: Buffer[]) =>
  sequence(dottedOid("1.2.840.113549.1.5.12"), sequence(SALT, iterations, ...more));
export const AES = sequence(dottedOid("2.16.840.1.101.3.4.1.42"), octets(Buffer.alloc(16)));
export const pbes2 = (iterations: Buffer) =>
  sequence(dottedOid("1.2.840.113549.1.5.13"), sequence(pbkdf2(iterations), AES));
const HMAC_SHA256 = sequence(dottedOid("1.2.840.113549.2.9"), NULL);
export const pbmac1 = (iterations: Buffer, size: Buffer) => {
  const scheme = sequence(pbkdf2(iterations, size, HMAC_SHA256), HMAC_SHA256);
  return sequence(sequence(sequence(dottedOid("1.2.840.113549.1.5.14"), scheme), octets(Buffer.alloc(32))), SALT);
};
export const mac = (iterations: Buffer) => sequence(sequence(SHA1, octets(Buffer.alloc(20))), SALT, iterations);

export const java = (magic: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat([u32(magic), u32(2), ...parts]);
  const digest = createHash("sha1").update(utf16be(PASSWORD)).update("Mighty Aphrodite").update(body).digest();
  return Buffer.concat([body, digest]);
};
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const counted = (bytes: Buffer) => Buffer.concat([u32(bytes.length), bytes]);
export const text = (value: string) =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 0xff]), Buffer.from(value)]);
export const DATE = Buffer.alloc(8);
export const certificate = Buffer.concat([text("X.509"), counted(Buffer.from("not looked at"))]);
export const JKS = 0xfeedfeed;
export const JCEKS = 0xcececece;

export function jceks(iterations: Buffer): Buffer {
  const algorithm = sequence(dottedOid("1.3.6.1.4.1.42.2.19.1"), sequence(SALT, iterations));
  const sealed = sequence(algorithm, octets(Buffer.alloc(16)));
  return java(JCEKS, u32(1), u32(1), text("edge"), DATE, counted(sealed), u32(1), certificate);
}

/** A BKS store whose MAC is right when `iterations` are few. */
export function bks(iterations: number, entries: Buffer): Buffer {
  const salt = Buffer.alloc(20, 7);
  const few = Math.max(1, Math.min(iterations, 1000));
  const key = derivePkcs12("sha1", bmpPassword(PASSWORD), salt, few, PURPOSE.mac, 20, new Rounds());
  const body = Buffer.concat([entries, Buffer.from([0])]);
  return Buffer.concat([u32(2), counted(salt), u32(iterations), body, createHmac("sha1", key).update(body).digest()]);
}
export function bksKey(iterations: number): Buffer {
  const sealed = Buffer.concat([counted(Buffer.alloc(20, 9)), u32(iterations), Buffer.alloc(16)]);
  return Buffer.concat([Buffer.from([4]), text("edge"), DATE, u32(1), certificate, counted(sealed)]);
}

/** A certificate that has another number, issuer or subject; its signature is wrong then. */
export function renamed(original: Buffer, changes: { issuer?: string; subject?: string; serial?: number }): Buffer {
  const [tbs, ...rest] = parse(original).children();
  const fields = tbs!.children().map((each) => each.whole);
  // Serial number, algorithm, issuer, validity, subject; the version before them is left out for version 1.
  const first = fields[0]![0] === TAG.context(0) ? 1 : 0;
  const name = (text: string) => sequence(set(sequence(dottedOid("2.5.4.3"), der(0x0c, Buffer.from(text)))));
  if (changes.serial !== undefined) fields[first] = integer(changes.serial + 1);
  if (changes.issuer !== undefined) fields[first + 2] = name(changes.issuer);
  if (changes.subject !== undefined) fields[first + 4] = name(changes.subject);
  return sequence(sequence(...fields), ...rest.map((each) => each.whole));
}
