// Opens what a password seals in key stores: by PKCS#12's own encryption (RFC 7292 appendix B and C) and by PBES2 (RFC 8018).

import { createDecipheriv, createHash, hash, pbkdf2Sync } from "node:crypto";
import { type Element, expect, Malformed, parse, TAG } from "../asn1/ber.ts";
import { type Rounds, StoreProblem } from "./store.ts";

export const PBES2 = "1.2.840.113549.1.5.13";
export const PBKDF2 = "1.2.840.113549.1.5.12";
export const PKCS12_PBE = "1.2.840.113549.1.12.1.";
const HMAC = "1.2.840.113549.2.";

/** HMAC identifiers after their prefix (RFC 8018 B.1.2). */
const PRF: Record<string, string> = { 7: "sha1", 8: "sha224", 9: "sha256", 10: "sha384", 11: "sha512" };

/** Content ciphers of PBES2, with the bytes of their key. */
const CIPHERS: Record<string, [string, number]> = {
  "2.16.840.1.101.3.4.1.2": ["aes-128-cbc", 16],
  "2.16.840.1.101.3.4.1.22": ["aes-192-cbc", 24],
  "2.16.840.1.101.3.4.1.42": ["aes-256-cbc", 32],
  "1.2.840.113549.3.7": ["des-ede3-cbc", 24],
};

/** PKCS#12's own algorithms (RFC 7292 C), with the bytes of their key: RC4, triple DES with three keys and two, and RC2. */
const PKCS12_CIPHERS: Record<string, [string, number]> = {
  1: ["rc4", 16],
  2: ["rc4", 5],
  3: ["des-ede3-cbc", 24],
  4: ["des-ede3-cbc", 16],
  5: ["rc2-cbc", 16],
  6: ["rc2-40-cbc", 5],
};

/** Purposes of PKCS#12's key derivation (RFC 7292 B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

export const WRONG_PASSWORD = "the password is wrong, or the file is damaged";

/** Salts and IVs are short. Bytes. */
const MAX_SALT = 1024;

/** A password as PKCS#12 hashes it: UTF-16BE with two zero bytes behind it (RFC 7292 B.1). */
export function bmpPassword(password: string): Buffer {
  return Buffer.concat([utf16be(password), Buffer.alloc(2)]);
}

export function utf16be(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

/** PKCS#12's key derivation (RFC 7292 B.2). `password` as its bytes; rounds are taken from the purse. */
export function derivePkcs12(
  algorithm: string,
  password: Buffer,
  salt: Buffer,
  iterations: number,
  purpose: number,
  size: number,
  rounds: Rounds,
): Buffer {
  if (salt.length > MAX_SALT) throw new Malformed("a salt is too long");
  const block = algorithm === "sha384" || algorithm === "sha512" ? 128 : 64;
  const fill = (bytes: Buffer): Buffer =>
    bytes.length === 0 ? bytes : Buffer.alloc(block * Math.ceil(bytes.length / block), bytes);
  const seed = Buffer.concat([fill(salt), fill(password)]);
  const parts: Buffer[] = [];
  let made = 0;
  while (made < size) {
    rounds.take(iterations);
    let digest = createHash(algorithm).update(Buffer.alloc(block, purpose)).update(seed).digest();
    // Half the time of a Hash for each.
    for (let i = 1; i < iterations; i++) digest = hash(algorithm, digest, "buffer");
    parts.push(digest);
    made += digest.length;
    if (made >= size) break;
    // I_j = I_j + B + 1 modulo 2^(8 * block), for each block of the seed.
    const addend = Buffer.alloc(block, digest);
    for (let start = 0; start < seed.length; start += block) {
      let carry = 1;
      for (let i = block - 1; i >= 0; i--) {
        const sum = seed[start + i]! + addend[i]! + carry;
        seed[start + i] = sum & 0xff;
        carry = sum >> 8;
      }
    }
  }
  return Buffer.concat(parts).subarray(0, size);
}

/** Decrypts by an AlgorithmIdentifier of PKCS#12 or PBES2. @throws StoreProblem, also on what only a wrong password explains. */
export function decrypt(algorithm: Element, data: Buffer, password: string, rounds: Rounds): Buffer {
  const [identifier, parameters] = expect(algorithm, TAG.sequence, "an algorithm").children();
  const oid = expect(identifier, TAG.oid, "an algorithm").oid();
  if (oid === PBES2) return pbes2(parameters, data, password, rounds);
  if (oid.startsWith(PKCS12_PBE)) return pkcs12Pbe(oid, parameters, data, password, rounds);
  throw new StoreProblem("unsupported", `it is encrypted with an algorithm that Sluice does not know (${oid})`);
}

function pkcs12Pbe(
  oid: string,
  parameters: Element | undefined,
  data: Buffer,
  password: string,
  rounds: Rounds,
): Buffer {
  const { salt, iterations } = saltAndRounds(parameters);
  const known = PKCS12_CIPHERS[oid.slice(PKCS12_PBE.length)];
  if (known === undefined)
    throw new StoreProblem("unsupported", `it is encrypted with an algorithm that Sluice does not know (${oid})`);
  const [name, size] = known;
  const secret = bmpPassword(password);
  const derived = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.key, size, rounds);
  if (name === "rc4") return open(() => decipher(name, derived, null, data));
  const key = name === "des-ede3-cbc" ? Buffer.concat([derived, derived]).subarray(0, 24) : derived;
  const iv = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.iv, 8, rounds);
  return open(() => decipher(name, key, iv, data));
}

function pbes2(parameters: Element | undefined, data: Buffer, password: string, rounds: Rounds): Buffer {
  const [derivation, encryption] = expect(parameters, TAG.sequence, "the encryption's parameters").children();
  const [kdf, kdfParameters] = expect(derivation, TAG.sequence, "the key derivation").children();
  if (expect(kdf, TAG.oid, "the key derivation").oid() !== PBKDF2)
    throw new StoreProblem("unsupported", "its key derivation is not PBKDF2, which is all that Sluice knows");
  const { hash, salt, iterations } = pbkdf2Parameters(kdfParameters);
  const [cipher, iv] = expect(encryption, TAG.sequence, "the cipher").children();
  const oid = expect(cipher, TAG.oid, "the cipher").oid();
  const known = CIPHERS[oid];
  if (known === undefined)
    throw new StoreProblem("unsupported", `it is encrypted with a cipher that Sluice does not know (${oid})`);
  const [name, size] = known;
  const key = pbkdf2Sync(Buffer.from(password, "utf8"), salt, rounds.take(iterations), size, hash);
  const vector = expect(iv, TAG.octets, "the initialization vector").content;
  return open(() => decipher(name, key, vector, data));
}

/** PBKDF2-params (RFC 8018 A.2); a stated key length is the cipher's, so it is not used. @throws Malformed, StoreProblem */
export function pbkdf2Parameters(parameters: Element | undefined): { hash: string; salt: Buffer; iterations: number } {
  const fields = expect(parameters, TAG.sequence, "the key derivation's parameters").children();
  const salt = expect(fields[0], TAG.octets, "the salt").content;
  if (salt.length > MAX_SALT) throw new Malformed("a salt is too long");
  const iterations = expect(fields[1], TAG.integer, "the iteration count").integer();
  const prf = fields.slice(2).find((field) => field.tag === TAG.sequence);
  const oid = prf === undefined ? `${HMAC}7` : expect(prf.children()[0], TAG.oid, "the hash").oid();
  const hash = oid.startsWith(HMAC) ? PRF[oid.slice(HMAC.length)] : undefined;
  if (hash === undefined)
    throw new StoreProblem("unsupported", `its key derivation uses a hash that Sluice does not know (${oid})`);
  return { hash, salt, iterations };
}

/** PBEParameter (RFC 8018 A.3), which PKCS#12 and Sun have too. @throws Malformed */
export function saltAndRounds(parameters: Element | undefined): { salt: Buffer; iterations: number } {
  const fields = expect(parameters, TAG.sequence, "the encryption's parameters").children();
  return {
    salt: expect(fields[0], TAG.octets, "the salt").content,
    iterations: expect(fields[1], TAG.integer, "the iteration count").integer(),
  };
}

/** A block cipher in CBC mode with PKCS#7 padding, or RC4, which has no IV. */
export function decipher(name: string, key: Buffer, iv: Buffer | null, data: Buffer): Buffer {
  const cipher = createDecipheriv(name, key, iv);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** A decryption that fails had the wrong password, or what it decrypts is damaged; nobody can tell which. @throws StoreProblem */
export function open<T>(decryption: () => T): T {
  try {
    return decryption();
  } catch (error) {
    if (error instanceof StoreProblem) throw error;
    throw new StoreProblem("password", WRONG_PASSWORD);
  }
}

/**
 * `decrypted` if it looks like a private key in PKCS#8. One wrong password in 256 leaves a padding that is right by chance, and then
 * something that is none. @throws StoreProblem
 */
export function privateKey(decrypted: Buffer): Buffer {
  return open(() => {
    const key = parse(decrypted);
    const [version, algorithm, value] = expect(key, TAG.sequence, "the private key").children();
    expect(version, TAG.integer, "its version");
    expect(algorithm, TAG.sequence, "its algorithm");
    expect(value, TAG.octets, "its value");
    return key.whole;
  });
}
