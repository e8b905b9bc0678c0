// RC2 in CBC mode (RFC 2268): what `openssl pkcs12 -legacy` and old Windows and Java exports hide certificates with. Broken as a
// cipher, and here only read; the TLS library of the runtime does not offer it.

import { Malformed } from "../asn1/ber.ts";

/** The permutation of RFC 2268 section 2, from the digits of pi. */
const PI = Buffer.from(
  "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2" +
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82" +
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626" +
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7" +
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec" +
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731" +
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9" +
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad",
  "hex",
);

const BLOCK = 8;

/** Decrypts; the key's effective length is its own. @throws Malformed when length or padding (PKCS#7) are wrong. */
export function decryptRc2Cbc(key: Buffer, iv: Buffer, data: Buffer): Buffer {
  if (data.length === 0 || data.length % BLOCK !== 0) throw new Malformed("a cipher text has the wrong length");
  const schedule = expand(key);
  const plain = Buffer.alloc(data.length);
  const words = new Uint16Array(4);
  let before = iv;
  for (let at = 0; at < data.length; at += BLOCK) {
    for (let i = 0; i < 4; i++) words[i] = data.readUInt16LE(at + 2 * i);
    decryptBlock(words, schedule);
    for (let i = 0; i < 4; i++) plain.writeUInt16LE(words[i]! ^ before.readUInt16LE(2 * i), at + 2 * i);
    before = data.subarray(at, at + BLOCK);
  }
  const padding = plain[plain.length - 1]!;
  const end = plain.length - padding;
  if (padding < 1 || padding > BLOCK || !plain.subarray(end).every((byte) => byte === padding))
    throw new Malformed("a padding is wrong");
  return plain.subarray(0, end);
}

/** RFC 2268 section 2, for an effective length that is the key's. */
function expand(key: Buffer): Uint16Array {
  const length = key.length;
  const bytes = Buffer.alloc(128);
  key.copy(bytes);
  for (let i = key.length; i < 128; i++) bytes[i] = PI[(bytes[i - 1]! + bytes[i - key.length]!) & 0xff]!;
  bytes[128 - length] = PI[bytes[128 - length]!]!;
  for (let i = 127 - length; i >= 0; i--) bytes[i] = PI[bytes[i + 1]! ^ bytes[i + length]!]!;
  return Uint16Array.from({ length: 64 }, (_, i) => bytes.readUInt16LE(2 * i));
}

const ROTATIONS = [1, 2, 3, 5] as const;

/** RFC 2268 section 4: sixteen mixing rounds backwards, with a mashing round after the fifth and the eleventh. */
function decryptBlock(words: Uint16Array, schedule: Uint16Array): void {
  let next = 63;
  for (let round = 0; round < 16; round++) {
    for (let i = 3; i >= 0; i--) {
      const by = ROTATIONS[i]!;
      const rotated = (words[i]! >>> by) | (words[i]! << (16 - by));
      const [a, b, c] = [words[(i + 3) & 3]!, words[(i + 2) & 3]!, words[(i + 1) & 3]!];
      words[i] = rotated - schedule[next--]! - (a & b) - (~a & c);
    }
    if (round === 4 || round === 10)
      for (let i = 3; i >= 0; i--) words[i] = words[i]! - schedule[words[(i + 3) & 3]! & 63]!;
  }
}
