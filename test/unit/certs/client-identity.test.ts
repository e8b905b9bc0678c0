// Each value of a client's certificate is one that everybody reads alike, or none; and the subject is the one that openssl prints.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ATTRIBUTE_NAMES } from "../../../src/certs/attribute-names.ts";
import { ClientIdentity, IDENTITY_FIELDS, type IdentityField } from "../../../src/certs/client-identity.ts";
import { Authority } from "../../support/certs.ts";
import { der, dottedOid, sequence, set } from "../../support/der.ts";
import { extension, HostileCertificates } from "../../support/hostile-certificates.ts";
import { random } from "../../support/random.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";
import { flips } from "./flips.ts";

const authority = await Authority.create();
const certificates = new HostileCertificates(authority, random(12));
const directory = temporaryDirectory();

const TYPE = {
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  t61: 0x14,
  ia5: 0x16,
  visible: 0x1a,
  universal: 0x1c,
  bmp: 0x1e,
};
const CN = "2.5.4.3";
const attribute = (oid: string, tag: number, content: Uint8Array): Buffer =>
  sequence(dottedOid(oid), der(tag, content));
const cn = (tag: number, content: Uint8Array | string): Buffer =>
  set(attribute(CN, tag, Buffer.from(content as string)));
const subject = (...parts: readonly Buffer[]): Buffer => certificates.made({ subject: sequence(...parts) }).der;
const general = (tag: number, text: string): Buffer => der(tag, Buffer.from(text, "latin1"));
const withNames = (...names: readonly Buffer[]): Buffer =>
  certificates.made({ subject: sequence(), extensions: [extension("2.5.29.17", sequence(...names), true)] }).der;
const value = (certificate: Buffer, field: IdentityField) => new ClientIdentity(certificate).value(field);
const ok = (text: string) => ({ kind: "ok", text }) as const;
const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
const utf32 = (...codes: readonly number[]): Buffer =>
  Buffer.concat(
    codes.map((code) => {
      const four = Buffer.alloc(4);
      four.writeUInt32BE(code);
      return four;
    }),
  );

/** A certificate that openssl makes of a section of its configuration file. */
async function madeByOpenssl(mask: string, distinguishedName: string): Promise<Buffer> {
  const base = join(directory, `${Bun.hash(mask + distinguishedName)}`);
  writeFileSync(
    `${base}.cnf`,
    `[req]\ndistinguished_name=d\nprompt=no\nutf8=yes\nstring_mask=${mask}\n[d]\n${distinguishedName}\n`,
  );
  const { code, stderr } = await exec(
    ["openssl", "req", "-x509", "-utf8", "-config", `${base}.cnf`, "-newkey", "ec", "-pkeyopt"].concat([
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      `${base}.key`,
      "-out",
      `${base}.crt`,
    ]),
  );
  if (code !== 0) throw new Error(stderr);
  return new X509Certificate(readFileSync(`${base}.crt`)).raw;
}

/** What openssl prints of a certificate; the value behind the first equals sign of the line. */
async function printed(certificate: Buffer, ...options: readonly string[]): Promise<string> {
  const file = join(directory, "printed.der");
  writeFileSync(file, certificate);
  const { code, stdout, stderr } = await exec(["openssl", "x509", "-inform", "DER", "-in", file, "-noout", ...options]);
  if (code !== 0) throw new Error(stderr);
  return stdout.replace(/\n$/, "").replace(/^[^=]*=/, "");
}

describe("a common name is decoded by its type", () => {
  // The masks of openssl's strings, each alone.
  for (const [type, mask, text] of [
    ["UTF8String", "utf8only", "Żółć-7"],
    ["PrintableString", "MASK:0x2", "sensor-7"],
    ["T61String", "MASK:0x4", "Größe-7"],
    ["IA5String", "MASK:0x10", "sensor_7@plant"],
    ["UniversalString", "MASK:0x100", "Żółć \u{1f600}"],
    ["BMPString", "MASK:0x800", "Żółć-7"],
  ] as const)
    test(`${type}, as openssl writes it`, async () => {
      const certificate = await madeByOpenssl(mask, `CN=${text}`);
      expect(value(certificate, "cn")).toEqual(ok(text));
      expect(value(certificate, "subject")).toEqual(ok(await printed(certificate, "-subject", "-nameopt", "RFC2253")));
    });
  test("pairs of surrogates in a BMPString, as Windows writes them", () =>
    expect(value(subject(cn(TYPE.bmp, utf16("a\u{1f600}"))), "cn")).toEqual(ok("a\u{1f600}")));
  test("one type's bytes are another name in another type", () => {
    const bytes = Buffer.from("ö");
    expect(value(subject(cn(TYPE.utf8, bytes)), "cn")).toEqual(ok("ö"));
    expect(value(subject(cn(TYPE.t61, bytes)), "cn")).toEqual(ok("Ã¶"));
  });
  test("what a broker could mistake for something else stands as it is", () => {
    for (const name of ["a:b", "a/b", "#", "+", " a ", "a,b", 'a"b', "CN=a", "%u", "$SYS"])
      expect(value(subject(cn(TYPE.utf8, name)), "cn")).toEqual(ok(name));
  });
});

describe("a common name is no value", () => {
  const refused: Record<string, Buffer> = {
    "with a NUL": cn(TYPE.utf8, "dev-1\0.evil"),
    "with a line feed": cn(TYPE.printable, "dev-1\nx"),
    "with DEL": cn(TYPE.utf8, "dev-1\x7f"),
    "with a control character of Latin-1": cn(TYPE.t61, Buffer.from([0x61, 0x85])),
    "with U+0085 in UTF-8": cn(TYPE.utf8, "a\u0085"),
    "with a NUL in a BMPString": cn(TYPE.bmp, utf16("a\0b")),
    "with ill-formed UTF-8": cn(TYPE.utf8, Buffer.from([0x61, 0xc3])),
    "with UTF-8 that is too long for its character": cn(TYPE.utf8, Buffer.from([0xc0, 0xaf])),
    "with a surrogate in UTF-8": cn(TYPE.utf8, Buffer.from([0xed, 0xa0, 0x80])),
    "with half a pair in a BMPString": cn(TYPE.bmp, Buffer.from([0xd8, 0x00, 0x00, 0x61])),
    "of an odd number of bytes in a BMPString": cn(TYPE.bmp, Buffer.from([0, 0x61, 0])),
    "with a surrogate in a UniversalString": cn(TYPE.universal, utf32(0xd83d, 0xde00)),
    "beyond Unicode in a UniversalString": cn(TYPE.universal, utf32(0x110000)),
    "with a noncharacter": cn(TYPE.utf8, "a\uffff"),
    "with a noncharacter of another plane": cn(TYPE.universal, utf32(0x1fffe)),
    "with a noncharacter of the block that has some": cn(TYPE.bmp, utf16("\ufdd0")),
    "with Latin-1 in a PrintableString": cn(TYPE.printable, Buffer.from([0x61, 0xe9])),
    "with Latin-1 in an IA5String": cn(TYPE.ia5, Buffer.from([0xe9])),
    "that is an octet string": cn(0x04, "dev-1"),
    "that is a GeneralString": cn(0x1b, "dev-1"),
    "in pieces": cn(0x2c, der(0x0c, Buffer.from("dev-1"))),
    "that is longer than any name": cn(TYPE.utf8, "x".repeat(2049)),
    "that is very much longer": cn(TYPE.universal, Buffer.alloc(40_000)),
    "of several": Buffer.concat([cn(TYPE.utf8, "dev-1"), cn(TYPE.utf8, "dev-2")]),
    "of several that are equal": Buffer.concat([cn(TYPE.utf8, "dev-1"), cn(TYPE.printable, "dev-1")]),
    "of several in one part": set(attribute(CN, 0x0c, Buffer.from("a")), attribute(CN, 0x0c, Buffer.from("b"))),
  };
  for (const [what, part] of Object.entries(refused))
    test(what, () => expect(value(subject(part), "cn").kind).toBe("unusable"));
  test("when it is empty, or there is none", () => {
    expect(value(subject(cn(TYPE.utf8, "")), "cn")).toEqual({ kind: "missing" });
    expect(value(subject(), "cn")).toEqual({ kind: "missing" });
  });
  test("of several that openssl has written", async () => {
    expect(value(await madeByOpenssl("utf8only", "0.CN=dev-1\n1.CN=dev-2"), "cn").kind).toBe("unusable");
  });
  test("but 2048 bytes are one", () => {
    const long = "ö".repeat(1024);
    expect(value(subject(cn(TYPE.t61, Buffer.from(long, "latin1"))), "cn")).toEqual(ok(long));
  });
});

describe("an alternative name", () => {
  const KINDS = { "san.dns": 0x82, "san.uri": 0x86, "san.email": 0x81 } as const;
  for (const [field, tag] of Object.entries(KINDS) as [keyof typeof KINDS, number][]) {
    test(`${field}: the only one of its kind counts, whatever others there are`, () => {
      const others = Object.values(KINDS).filter((each) => each !== tag);
      const names = [...others, 0x87, 0x88].map((each) => general(each, "\x7f\0\0\x01"));
      expect(value(withNames(...names, general(tag, "spiffe://a/dev-1")), field)).toEqual(ok("spiffe://a/dev-1"));
      expect(value(withNames(...names), field)).toEqual({ kind: "missing" });
    });
    test(`${field}: several, and what is no ASCII or has a control character, are no value`, () => {
      for (const names of [["a", "b"], ["a", "a"], ["gr\xf6\xdfe"], ["a\0b"], ["a\n"], ["a\x7f"], ["x".repeat(2049)]])
        expect(value(withNames(...names.map((name) => general(tag, name))), field).kind).toBe("unusable");
      expect(value(withNames(general(tag, "")), field)).toEqual({ kind: "missing" });
    });
  }
  test("of openssl's making", async () => {
    const pair = await authority.issue({ names: ["dev-1.example"], sans: ["URI:spiffe://a/b", "email:a@b"] });
    const { raw } = new X509Certificate(readFileSync(pair.cert));
    expect(Object.keys(KINDS).map((field) => value(raw, field as IdentityField))).toEqual([
      ok("dev-1.example"),
      ok("spiffe://a/b"),
      ok("a@b"),
    ]);
  });
});

describe("serial number and fingerprint are those that openssl prints", () => {
  for (const hex of ["01", "0a", "00ff0102", "7fffffffffffffff", "008000", "00"])
    test(hex, async () => {
      const serial = der(0x02, Buffer.from(hex, "hex"));
      const certificate = certificates.made({ serial, subject: sequence() }).der;
      expect(value(certificate, "serial")).toEqual(ok(await printed(certificate, "-serial")));
      const fingerprint = await printed(certificate, "-fingerprint", "-sha256");
      expect(value(certificate, "fingerprint")).toEqual(ok(fingerprint.replaceAll(":", "").toLowerCase()));
    });
  test("a negative one, and none, is no value", () => {
    for (const serial of [der(0x02, Buffer.from([0xff])), der(0x02)])
      expect(value(certificates.made({ serial, subject: sequence() }).der, "serial").kind).toBe("unusable");
  });
});

describe("the subject is the one of openssl's -nameopt RFC2253, which Mosquitto takes", () => {
  const same = async (certificate: Buffer) =>
    expect(value(certificate, "subject")).toEqual(ok(await printed(certificate, "-subject", "-nameopt", "RFC2253")));

  test("every attribute that has a name", async () => {
    const parts = Object.keys(ATTRIBUTE_NAMES).map((oid) => set(attribute(oid, TYPE.utf8, Buffer.from("x"))));
    await same(subject(...parts));
  });
  test("parts with several values, and values that are escaped", async () => {
    await same(
      subject(
        set(attribute("2.5.4.10", TYPE.utf8, Buffer.from(' #a,b+c"d\\e<f>g;h=i '))),
        set(attribute(CN, TYPE.utf8, Buffer.from("# b")), attribute("2.5.4.11", TYPE.t61, Buffer.from([0x61, 0xdf]))),
        set(attribute("2.5.4.7", TYPE.utf8, Buffer.from(" "))),
        set(attribute("2.5.4.8", TYPE.utf8, Buffer.from(""))),
        set(attribute("2.5.4.97", TYPE.bmp, utf16("Żółć"))),
      ),
    );
  });
  test("what has no name, or is no string", async () => {
    await same(
      subject(
        set(attribute("1.2.3.4.5", TYPE.utf8, Buffer.from("x"))),
        set(attribute("2.5.4.45", 0x03, Buffer.from([0, 1, 2]))),
        set(attribute("2.5.4.10", 0x30, sequence(der(0x05)))),
      ),
    );
  });
  test("any", async () => {
    const dice = random(2253);
    const texts = ["dev-1", "a b", " ", "# x", "Żółć", "日本 \u{1f600}", "a=b,c", '"', "\\", "x;", "", "<a>"];
    const oids = [...Object.keys(ATTRIBUTE_NAMES), "1.2.3.4"];
    const value = () => {
      const text = dice.pick(texts);
      if (dice.chance(0.3))
        return { tag: TYPE.universal, bytes: utf32(...[...text].map((each) => each.codePointAt(0)!)) };
      return { tag: TYPE.utf8, bytes: Buffer.from(text) };
    };
    for (let round = 0; round < 40; round++) {
      const parts = Array.from({ length: dice.below(5) }, () => {
        const { tag, bytes } = value();
        const more = dice.chance(0.3) ? [attribute(dice.pick(oids), TYPE.utf8, Buffer.from("more"))] : [];
        return set(attribute(dice.pick(oids), tag, bytes), ...more);
      });
      if (parts.length > 0) await same(subject(...parts));
    }
  });
  test("with a control character anywhere it is no value, though it could be escaped", () => {
    const parts = [cn(TYPE.utf8, "dev-1"), set(attribute("2.5.4.10", TYPE.utf8, Buffer.from("a\nb")))];
    expect(value(subject(...parts), "subject").kind).toBe("unusable");
    expect(value(subject(...parts), "cn")).toEqual(ok("dev-1"));
  });
  test("longer than 2048 bytes, and empty, it is none either", () => {
    const long = set(attribute("2.5.4.10", TYPE.utf8, Buffer.from("x".repeat(600))));
    expect(value(subject(long, long, long, long), "subject").kind).toBe("unusable");
    expect(value(subject(), "subject")).toEqual({ kind: "missing" });
  });
});

test("whatever the bytes are, every value is an answer that holds nothing unfit", () => {
  const real = certificates.made({
    subject: sequence(cn(TYPE.utf8, "dev-1"), cn(TYPE.bmp, utf16("dev-2"))),
    extensions: [extension("2.5.29.17", sequence(general(0x82, "a"), general(0x86, "b")), false)],
  }).der;
  const hostile = Array.from({ length: 400 }, () => certificates.next().der);
  const cut = Array.from({ length: real.length }, (_, length) => real.subarray(0, length));
  let values = 0;
  for (const bytes of [...hostile, ...flips(real, 2000), ...cut, Buffer.alloc(0)]) {
    const identity = new ClientIdentity(bytes);
    for (const field of IDENTITY_FIELDS) {
      const answer = identity.value(field);
      if (answer.kind !== "ok") continue;
      values++;
      expect(answer.text).toMatch(/^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u);
      expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(2048);
    }
  }
  expect(values).toBeGreaterThan(5000);
});
