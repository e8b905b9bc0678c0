// RC2, which the runtime's TLS library lacks: RFC 2268's own test vectors, and what a real openssl encrypts.

import { expect, test } from "bun:test";
import { decryptRc2Cbc } from "../../../src/keystores/rc2.ts";
import { exec } from "../../support/tools.ts";

const hex = (text: string) => Buffer.from(text, "hex");

/** RFC 2268 section 5, where a key's effective length is all of it: key, plain text, cipher text. */
const VECTORS = [
  ["ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"],
  ["3000000000000000", "1000000000000001", "30649edf9be7d2c2"],
  ["88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"],
] as const;

test.each(VECTORS)("RFC 2268: with key %s the block %s is what %s hides", (key, plain, cipher) => {
  // The IV turns the plain text into 1, 2, ... 7 with the padding of one byte, so that all of the block shows.
  const shown = hex("0102030405060701");
  const iv = hex(plain).map((byte, i) => byte ^ shown[i]!);
  expect(decryptRc2Cbc(hex(key), Buffer.from(iv), hex(cipher)).toString("hex")).toBe("01020304050607");
});

test.each([
  ["rc2-40-cbc", 5],
  ["rc2-64-cbc", 8],
  ["rc2-cbc", 16],
] as const)("%s: what openssl encrypts comes out again, whatever its length", async (cipher, size) => {
  for (const length of [0, 1, 7, 8, 9, 1000]) {
    const plain = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + length) & 0xff));
    const key = Buffer.from(Array.from({ length: size }, (_, i) => 0xf1 - 11 * i));
    const iv = hex("8081828384858687");
    const keys = ["-K", key.toString("hex"), "-iv", iv.toString("hex")];
    const args = ["-provider", "legacy", "-provider", "default", "-A", "-base64"];
    const sealed = await exec(["openssl", "enc", "-e", `-${cipher}`, ...keys, ...args], { stdin: plain });
    expect(sealed.stderr).toBe("");
    expect(decryptRc2Cbc(key, iv, Buffer.from(sealed.stdout, "base64"))).toEqual(plain);
  }
});

test("a cipher text of no length, of a broken length or with a wrong padding is refused", () => {
  const key = hex("88bca90e90875a7f0f79c384627bafb2");
  for (const data of ["", "22", "2269552ab0f85ca600", "2269552ab0f85ca6"])
    expect(() => decryptRc2Cbc(key, Buffer.alloc(8), hex(data))).toThrow();
});
