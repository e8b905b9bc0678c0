// BER as key stores use it: what is read is what was written, in whatever of its forms, and nothing else is.

import { describe, expect, test } from "bun:test";
import { Malformed, parse } from "../../../src/asn1/ber.ts";
import { readStore } from "../../../src/keystores/read.ts";
import { der, dottedOid, indefinite, inPieces, integer, octets, sequence } from "../../support/der.ts";
import { judge, PASSWORD, rewritten, victims } from "../keystores/hostile.ts";

const hex = (text: string) => Buffer.from(text, "hex");

test("lengths may be short, long, longer than needed, or indefinite", () => {
  const content = octets(Buffer.from("abc"));
  for (const bytes of [
    sequence(content),
    Buffer.concat([hex("308105"), content]),
    Buffer.concat([hex("308400000005"), content]),
    indefinite(0x30, content),
  ]) {
    const [only, ...more] = parse(Buffer.concat([bytes, Buffer.from("behind it")])).children();
    expect(more).toEqual([]);
    expect(only!.octets().toString()).toBe("abc");
    expect(parse(Buffer.concat([bytes, Buffer.from("behind it")])).whole).toEqual(bytes);
  }
});

test("an octet string in pieces, and pieces of pieces, is joined; pieces of another kind are refused", () => {
  const content = Buffer.from("0123456789".repeat(50));
  for (const size of [1, 7, 100, 1000]) expect(parse(inPieces(0x24, content, size)).octets()).toEqual(content);
  expect(parse(der(0x24, octets(content), der(0x24))).octets()).toEqual(content);
  expect(() => parse(der(0x24, octets(content), integer(1))).octets()).toThrow(Malformed);
});

test("numbers up to 47 bits are read, negative, larger and empty ones are refused", () => {
  for (const value of [0, 1, 127, 128, 255, 65_536, 2 ** 31 - 1, 2 ** 32, 2 ** 47 - 1])
    expect(parse(integer(value)).integer()).toBe(value);
  for (const bytes of ["0200", "0201ff", "020180", "02080000000000000001", "040101"])
    expect(() => parse(hex(bytes)).integer()).toThrow(Malformed);
});

test("object identifiers are read in dotted form; empty, endless and other ones are refused", () => {
  for (const dotted of ["1.2.840.113549.1.12.10.1.3", "2.16.840.1.113894.746875.1.1", "0.9.1", "2.5.4.3"])
    expect(parse(dottedOid(dotted)).oid()).toBe(dotted);
  for (const bytes of ["0600", "0606ffffffffff7f", "040155", `062a${"81".repeat(42)}`])
    expect(() => parse(hex(bytes)).oid()).toThrow();
});

test.each([
  ["nothing", ""],
  ["a tag alone", "30"],
  ["a content that is too short", "300401"],
  ["a length of a length that is cut off", "3082"],
  ["a length in five bytes", "30850000000001aa"],
  ["a primitive element of indefinite length", "0480aabb0000"],
  ["an indefinite length without an end", "30800401aa00"],
  ["a tag of several bytes", "3f810100"],
])("%s is refused", (_, bytes) => {
  expect(() => parse(hex(bytes)).children()).toThrow(Malformed);
});

describe("a store in indefinite lengths and pieces", async () => {
  const { stores } = await victims(["PKCS#12 without a MAC", "PKCS#12 with open certificates"]);

  test.each(stores.map((store) => [store.name, store.bytes] as const))("is the same store: %s", (_, bytes) => {
    const [before, after] = [bytes, rewritten(bytes)].map((each) => readStore(each, PASSWORD));
    if (before!.kind === "error" || after!.kind === "error") throw new Error("it cannot be read");
    expect(after!.entries.map(({ alias, certificates }) => ({ alias, certificates }))).toEqual(
      before!.entries.map(({ alias, certificates }) => ({ alias, certificates })),
    );
    expect(after!.loose).toEqual(before!.loose);
    expect(after!.entries[0]!.key!(PASSWORD)).toEqual(before!.entries[0]!.key!(PASSWORD));
    expect(judge(rewritten(bytes))).toMatchObject({ read: "ok", pair: true });
  });
});
