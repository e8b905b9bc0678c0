// What is written in DER is read again as it was, and as openssl reads it.

import { expect, test } from "bun:test";
import { parse, TAG } from "../../../src/asn1/ber.ts";
import { der, oid, unsigned } from "../../../src/asn1/der.ts";

for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536])
  test(`${length} bytes`, () => {
    const element = parse(der(TAG.octets, Buffer.alloc(length, 7)));
    expect(element.tag).toBe(TAG.octets);
    expect(element.content).toEqual(Buffer.alloc(length, 7));
  });

for (const dotted of ["2.5.4.3", "1.2.840.10045.4.3.2", "1.3.6.1.4.1.4294967295.128.127.0", "0.9.1", "2.39.0"])
  test(`the object identifier ${dotted}`, () => {
    expect(parse(oid(dotted)).oid()).toBe(dotted);
  });

test("numbers are not negative, whatever their first bit is", () => {
  expect(unsigned(Buffer.from([0x7f])).toString("hex")).toBe("02017f");
  expect(unsigned(Buffer.from([0x80, 1])).toString("hex")).toBe("0203008001");
  expect(parse(unsigned(Buffer.from([0x7f, 1]))).integer()).toBe(0x7f01);
});
