// The alert that is encrypted here is what a TLS library would have sent (mutual-tls.test.ts shows it to OpenSSL).

import { expect, test } from "bun:test";
import { createDecipheriv } from "node:crypto";
import { sealBlock } from "../../../src/tls/chacha20-poly1305.ts";
import { sealedAlert } from "../../../src/tls/sealed-alert.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

// RFC 8439 2.8.2, the first 20 of its 114 bytes; the ciphertext is the document's, the tag Python's cryptography's.
test("ChaCha20-Poly1305 seals as RFC 8439 has it", () => {
  const sealed = sealBlock(
    hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
    hex("070000004041424344454647"),
    hex("50515253c0c1c2c3c4c5c6c7"),
    Buffer.from("Ladies and Gentlemen"),
  );
  expect(sealed.toString("hex")).toBe("d31a8d34648e60db7b86afbc53ef7ec2a4aded51e139d222c27617a282d78e210b635057");
});

// RFC 8448 3: the server's application traffic secret of the simple handshake, with the key and the IV that it gives.
const SECRET = hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
const KEY = hex("9f02283b6c9c07efc26bb9f2ac92e356");
const IV = hex("cf782b88dd83549aadf1e984");

test("a record under the keys of RFC 8448 holds the fatal alert, and nothing else", () => {
  const record = sealedAlert("TLS_AES_128_GCM_SHA256", SECRET, "unknown_ca")!;
  expect(record.subarray(0, 5)).toEqual(hex("1703030013"));
  expect(record).toHaveLength(24);
  const decipher = createDecipheriv("aes-128-gcm", KEY, IV);
  decipher.setAAD(record.subarray(0, 5));
  decipher.setAuthTag(record.subarray(8));
  expect(Buffer.concat([decipher.update(record.subarray(5, 8)), decipher.final()])).toEqual(hex("023015"));
});

test("a suite of another version has no such record", () => {
  expect(sealedAlert("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", SECRET, "unknown_ca")).toBeNull();
  expect(sealedAlert("constructor", SECRET, "unknown_ca")).toBeNull();
});
