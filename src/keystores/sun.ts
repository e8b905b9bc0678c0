// Sun's own ways to seal a private key with a password: KeyProtector of sun.security.provider (JKS) and of com.sun.crypto.provider
// (JCEKS) in OpenJDK. Both directions are here, because they are the same key derivation.

import { createCipheriv, createHash, hash, randomBytes, timingSafeEqual } from "node:crypto";
import { Malformed } from "../asn1/ber.ts";
import { decipher, open, utf16be, WRONG_PASSWORD } from "./pbe.ts";
import { type Rounds, StoreProblem } from "./store.ts";

export const SUN_JKS = "1.3.6.1.4.1.42.2.17.1.1";
export const SUN_JCEKS = "1.3.6.1.4.1.42.2.19.1";

/** Of SHA-1: the salt, each piece of the stream, and the checksum. Bytes. */
const DIGEST = 20;
/** Of JCEKS, in two halves. Bytes. */
const JCEKS_SALT = 8;

/** JKS: the key, XORed with a chain of SHA-1 digests of password and salt, between that salt and a checksum. */
export function openSunJks(data: Buffer, password: string): Buffer {
  if (data.length < 2 * DIGEST) throw new Malformed("a key is too short");
  const plain = xorJks(data.subarray(DIGEST, -DIGEST), data.subarray(0, DIGEST), password);
  if (!timingSafeEqual(checksumJks(plain, password), data.subarray(-DIGEST)))
    throw new StoreProblem("password", WRONG_PASSWORD);
  return plain;
}

export function sealSunJks(plain: Buffer, password: string): Buffer {
  const salt = randomBytes(DIGEST);
  return Buffer.concat([salt, xorJks(plain, salt, password), checksumJks(plain, password)]);
}

function xorJks(data: Buffer, salt: Buffer, password: string): Buffer {
  const secret = utf16be(password);
  const out = Buffer.alloc(data.length);
  let digest = salt;
  for (let at = 0; at < data.length; at++) {
    if (at % DIGEST === 0) digest = createHash("sha1").update(secret).update(digest).digest();
    out[at] = data[at]! ^ digest[at % DIGEST]!;
  }
  return out;
}

function checksumJks(plain: Buffer, password: string): Buffer {
  return createHash("sha1").update(utf16be(password)).update(plain).digest();
}

/** JCEKS: PBEWithMD5AndTripleDES. */
export function openSunJceks(salt: Buffer, iterations: number, data: Buffer, password: string, rounds: Rounds): Buffer {
  if (salt.length !== JCEKS_SALT) throw new Malformed("a salt has the wrong length");
  rounds.take(iterations * 2);
  const { key, iv } = deriveJceks(salt, iterations, password);
  return open(() => decipher("des-ede3-cbc", key, iv, data));
}

export function sealSunJceks(plain: Buffer, iterations: number, password: string): { salt: Buffer; sealed: Buffer } {
  const salt = randomBytes(JCEKS_SALT);
  const { key, iv } = deriveJceks(salt, iterations, password);
  const cipher = createCipheriv("des-ede3-cbc", key, iv);
  return { salt, sealed: Buffer.concat([cipher.update(plain), cipher.final()]) };
}

/** Each half of the salt is hashed with the password by itself. */
function deriveJceks(salt: Buffer, iterations: number, password: string): { key: Buffer; iv: Buffer } {
  const secret = Buffer.from(password, "latin1").map((byte) => byte & 0x7f);
  const halves = Buffer.from(salt);
  // Equal halves would give equal keys. What Sun's code then does is not quite the inversion it meant, and stores are made by it.
  if (halves.subarray(0, 4).equals(halves.subarray(4)))
    for (let i = 0; i < 2; i++) {
      const byte = halves[i]!;
      halves[i] = halves[3 - i]!;
      halves[2] = byte;
    }
  const derived = [halves.subarray(0, 4), halves.subarray(4)].map((half) => {
    let digest: Buffer = hash("md5", Buffer.concat([half, secret]), "buffer");
    const block = Buffer.concat([digest, secret]);
    for (let i = 1; i < iterations; i++) {
      block.set(digest);
      digest = hash("md5", block, "buffer");
    }
    return digest;
  });
  const material = Buffer.concat(derived);
  return { key: material.subarray(0, 24), iv: material.subarray(24) };
}
