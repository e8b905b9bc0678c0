// Password-based encryption of key stores: PKCS#12's own (RFC 7292 appendix B and C), PBES2 (RFC 8018), and Sun's.

import { createDecipheriv, createHash, pbkdf2Sync } from "node:crypto";
import { type Element, expect, Malformed, parse, TAG } from "../asn1/ber.ts";
import { decryptRc2Cbc } from "./rc2.ts";
import { type Rounds, StoreProblem } from "./store.ts";

const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";
const PKCS12_PBE = "1.2.840.113549.1.12.1.";
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

/** Bytes of the key of PKCS#12's own algorithms (RFC 7292 C): triple DES with three keys and two, RC2 with 128 bits and 40. */
const PKCS12_KEY_BYTES: Record<string, number> = { 3: 24, 4: 16, 5: 16, 6: 5 };

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
  hash: string,
  password: Buffer,
  salt: Buffer,
  iterations: number,
  purpose: number,
  size: number,
  rounds: Rounds,
): Buffer {
  if (salt.length > MAX_SALT) throw new Malformed("a salt is too long");
  const block = hash === "sha384" || hash === "sha512" ? 128 : 64;
  const fill = (bytes: Buffer): Buffer =>
    bytes.length === 0 ? bytes : Buffer.alloc(block * Math.ceil(bytes.length / block), bytes);
  const seed = Buffer.concat([fill(salt), fill(password)]);
  const parts: Buffer[] = [];
  let made = 0;
  while (made < size) {
    rounds.take(iterations);
    let digest = createHash(hash).update(Buffer.alloc(block, purpose)).update(seed).digest();
    for (let i = 1; i < iterations; i++) digest = createHash(hash).update(digest).digest();
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
  const size = PKCS12_KEY_BYTES[oid.slice(PKCS12_PBE.length)];
  if (size === undefined)
    throw new StoreProblem("unsupported", "it is encrypted with RC4, which Sluice does not read: write the store anew");
  const secret = bmpPassword(password);
  const key = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.key, size, rounds);
  const iv = derivePkcs12("sha1", secret, salt, iterations, PURPOSE.iv, 8, rounds);
  switch (oid.slice(PKCS12_PBE.length)) {
    case "3":
      return open(() => decipher("des-ede3-cbc", key, iv, data));
    case "4":
      return open(() => decipher("des-ede3-cbc", Buffer.concat([key, key.subarray(0, 8)]), iv, data));
    default:
      return open(() => decryptRc2Cbc(key, iv, data));
  }
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

function saltAndRounds(parameters: Element | undefined): { salt: Buffer; iterations: number } {
  const fields = expect(parameters, TAG.sequence, "the encryption's parameters").children();
  return {
    salt: expect(fields[0], TAG.octets, "the salt").content,
    iterations: expect(fields[1], TAG.integer, "the iteration count").integer(),
  };
}

/** AES or triple DES in CBC mode with PKCS#7 padding. */
export function decipher(name: string, key: Buffer, iv: Buffer, data: Buffer): Buffer {
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

/** Sun's key protection of JKS: the key, XORed with a chain of SHA-1 digests of password and salt, between that salt and a checksum. */
export function openSunJks(data: Buffer, password: string): Buffer {
  if (data.length < 40) throw new Malformed("a key is too short");
  const secret = utf16be(password);
  const sha1 = (...parts: Buffer[]): Buffer => createHash("sha1").update(Buffer.concat(parts)).digest();
  const sealed = data.subarray(20, data.length - 20);
  const plain = Buffer.alloc(sealed.length);
  let digest = data.subarray(0, 20);
  for (let at = 0; at < sealed.length; at++) {
    if (at % 20 === 0) digest = sha1(secret, digest);
    plain[at] = sealed[at]! ^ digest[at % 20]!;
  }
  if (!sha1(secret, plain).equals(data.subarray(data.length - 20))) throw new StoreProblem("password", WRONG_PASSWORD);
  return plain;
}

/** Sun's PBEWithMD5AndTripleDES of JCEKS: each half of the salt is hashed with the password by itself. */
export function openSunJceks(parameters: Element | undefined, data: Buffer, password: string, rounds: Rounds): Buffer {
  const { salt, iterations } = saltAndRounds(parameters);
  if (salt.length !== 8) throw new Malformed("a salt has the wrong length");
  const secret = Buffer.from(password, "latin1").map((byte) => byte & 0x7f);
  const halves = Buffer.from(salt);
  // Equal halves would give equal keys. What Sun's code then does is not quite the inversion it meant, and stores are made by it.
  if (halves.subarray(0, 4).equals(halves.subarray(4)))
    for (let i = 0; i < 2; i++) {
      const byte = halves[i]!;
      halves[i] = halves[3 - i]!;
      halves[2] = byte;
    }
  rounds.take(iterations * 2);
  const derived = [halves.subarray(0, 4), halves.subarray(4)].map((half) => {
    let digest: Buffer = half;
    for (let i = 0; i < iterations; i++) digest = createHash("md5").update(digest).update(secret).digest();
    return digest;
  });
  const material = Buffer.concat(derived);
  return open(() => decipher("des-ede3-cbc", material.subarray(0, 24), material.subarray(24), data));
}
