// What a certificate says is read by kind, whatever its names hold: no name can be dressed up as another.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../../src/asn1/ber.ts";
import { loadRevocationLists } from "../../../src/certs/crl.ts";
import { canonicalName, identityOf } from "../../../src/certs/x509.ts";
import { Authority } from "../../support/certs.ts";
import { der, oid, sequence } from "../../support/der.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";
import { flips } from "./flips.ts";

const CN = oid("550403");
const O = oid("55040a");
const STRING = { utf8: 0x0c, printable: 0x13, t61: 0x14, ia5: 0x16, universal: 0x1c, bmp: 0x1e };
const text = (value: string, tag = STRING.utf8): Buffer =>
  der(tag, tag === STRING.bmp ? Buffer.from(value, "utf16le").swap16() : Buffer.from(value));
const attribute = (kind: Buffer, value: Buffer): Buffer => sequence(kind, value);
const name = (...parts: readonly (readonly Buffer[])[]): Buffer => sequence(...parts.map((part) => der(0x31, ...part)));
const cn = (value: string, tag = STRING.utf8): readonly Buffer[] => [attribute(CN, text(value, tag))];

/** As much of a certificate as is read of it. */
function certificate(parts: {
  subject?: Buffer;
  issuer?: Buffer;
  serial?: number[];
  sans?: readonly Buffer[];
}): Buffer {
  const { subject = name(cn("x")), issuer = name(cn("ca")), serial = [1], sans = [] } = parts;
  const extension = sequence(oid("551d11"), der(0x04, sequence(...sans)));
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const extensions = der(0xa3, sequence(extension));
  const none = sequence();
  return sequence(sequence(version, der(0x02, Buffer.from(serial)), none, issuer, none, subject, none, extensions));
}

const read = (parts: Parameters<typeof certificate>[0]) => identityOf(certificate(parts));

describe("a common name", () => {
  for (const [kind, tag] of Object.entries(STRING))
    if (tag !== STRING.universal)
      test(`as ${kind} string`, () =>
        expect(read({ subject: name(cn("sensor-7", tag)) })?.commonNames).toEqual(["sensor-7"]));
  for (const value of ["a, CN=admin", 'a", DNS:"b', "a\nCN=admin", "admin\0.example", "a+CN=b/CN=c", "größe", "日本"])
    test(`${JSON.stringify(value)} is one name, as it stands`, () => {
      expect(read({ subject: name(cn(value)) })?.commonNames).toEqual([value]);
      expect(read({ subject: name(cn(value, STRING.bmp)) })?.commonNames).toEqual([value]);
    });
  test("several are all told, in one part or in several", () => {
    expect(read({ subject: name(cn("a"), cn("b")) })?.commonNames).toEqual(["a", "b"]);
    expect(read({ subject: name([...cn("a"), ...cn("b")]) })?.commonNames).toEqual(["a", "b"]);
  });
  test("none", () => expect(read({ subject: name() })).toMatchObject({ commonNames: [], subject: "[]" }));
  test("that cannot be decoded makes the certificate unreadable", () => {
    for (const value of [
      der(STRING.utf8, Buffer.from([0x61, 0xff])),
      der(STRING.bmp, Buffer.from([0x61])),
      text("abcd", STRING.universal),
    ])
      expect(read({ subject: name([attribute(CN, value)]) })).toBeNull();
  });
});

test("alternative names go to their own kinds", () => {
  const general = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, "latin1"));
  const identity = read({
    sans: [
      general(0x82, "a.example, URI:spiffe://evil"),
      general(0x86, "spiffe://a/b"),
      general(0x81, "a@b.example"),
      general(0x87, "\x7f\0\0\x01"),
      der(0xa0, oid("2a0304"), der(0xa0, text("DNS:other"))),
      der(0xa4, name(cn("DNS:directory"))),
      general(0x82, "b\0.example"),
    ],
  });
  expect(identity).toMatchObject({
    dns: ["a.example, URI:spiffe://evil", "b\0.example"],
    uris: ["spiffe://a/b"],
    emails: ["a@b.example"],
    commonNames: ["x"],
  });
});

test("serial numbers are compared without what does not count", () => {
  for (const [bytes, serial] of [
    [[0x00, 0xff, 0x12], "FF12"],
    [[0x0a], "A"],
    [[0x00], "0"],
    [[0x10, 0x00], "1000"],
  ] as const)
    expect(read({ serial: [...bytes] })?.serial).toBe(serial);
});

describe("two distinguished names", () => {
  const canonical = (...parts: readonly (readonly Buffer[])[]): string => canonicalName(parse(name(...parts)));
  test("are equal whatever their strings' type, case and spaces", () => {
    const one = canonical(cn("Factory  CA ", STRING.utf8));
    for (const tag of [STRING.printable, STRING.bmp, STRING.t61]) expect(canonical(cn("factory ca", tag))).toBe(one);
  });
  test("differ by kind, order, part and value", () => {
    const o = [attribute(O, text("a"))];
    const all = [
      canonical(cn("a")),
      canonical(o),
      canonical(cn("a"), o),
      canonical(o, cn("a")),
      canonical([...cn("a"), ...o]),
      canonical(cn('a"],["2.5.4.10","a')),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

test("openssl's certificates are read, and the serial number is the one that openssl tells", async () => {
  const authority = await Authority.create();
  for (const serial of ["00ff0102", "0a", "7fffffffffffffff"]) {
    const options = {
      names: ["a.example", "10.0.0.1"],
      sans: ["URI:spiffe://a/b", "email:a@b"],
      subject: '/O=Plant/CN=sensor, "7"',
      serial,
    };
    const { cert } = await authority.issue({ ...options, usage: "clientAuth" });
    const { raw, serialNumber } = new X509Certificate(readFileSync(cert));
    expect(identityOf(raw)).toEqual({
      issuer: identityOf(new X509Certificate(readFileSync(authority.cert)).raw)!.subject,
      subject: expect.any(String),
      serial: serialNumber.toUpperCase().replace(/^0+/, ""),
      commonNames: ['sensor, "7"'],
      dns: ["a.example"],
      uris: ["spiffe://a/b"],
      emails: ["a@b"],
    });
  }
});

test("a list of an authority is found although it writes its name in strings of another type and case", async () => {
  const directory = temporaryDirectory();
  const files = { key: join(directory, "k"), one: join(directory, "1"), two: join(directory, "2") };
  const make = async (file: string, mask: string, cn: string, key: readonly string[]) => {
    writeFileSync(
      `${file}.cnf`,
      `[req]\ndistinguished_name=d\nprompt=no\nstring_mask=${mask}\n[d]\nO=Plant\nCN=${cn}\n`,
    );
    const { code, stderr } = await exec([
      "openssl",
      "req",
      "-x509",
      "-nodes",
      "-config",
      `${file}.cnf`,
      ...key,
      "-out",
      file,
      "-days",
      "3",
    ]);
    if (code !== 0) throw new Error(stderr);
    return new X509Certificate(readFileSync(file));
  };
  const one = await make(files.one, "utf8only", "Factory CA", [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-keyout",
    files.key,
  ]);
  const two = await make(files.two, "pkix", "FACTORY  ca", ["-key", files.key]);
  expect(one.raw.includes(Buffer.from("\x0c\x0aFactory"))).toBe(true);
  expect(two.raw.includes(Buffer.from("\x13\x0bFACTORY"))).toBe(true);
  writeFileSync(join(directory, "db"), "R\t491231235959Z\t250101000000Z\t1234\tunknown\t/CN=x\n");
  writeFileSync(join(directory, "ca.cnf"), `[ca]\ndefault_ca=d\n[d]\ndatabase=${directory}/db\ndefault_md=sha256\n`);
  const list = await exec([
    "openssl",
    "ca",
    "-gencrl",
    "-config",
    join(directory, "ca.cnf"),
    "-cert",
    files.two,
    "-keyfile",
    files.key,
    "-crldays",
    "3",
  ]);
  expect(loadRevocationLists(Buffer.from(list.stdout), [one])).toMatchObject({
    kind: "ok",
    lists: [{ issuer: identityOf(one.raw)!.subject, serials: ["1234"] }],
  });
});

describe("bytes from anywhere", () => {
  test("no prefix of a certificate and no damaged one throws", async () => {
    const authority = await Authority.create();
    const { cert } = await authority.issue({ names: ["a.example"], sans: ["URI:spiffe://a/b", "email:a@b"] });
    const { raw } = new X509Certificate(readFileSync(cert));
    for (let length = 0; length < raw.length; length++) expect(identityOf(raw.subarray(0, length))).toBeNull();
    for (const bad of flips(raw, 20_000)) identityOf(bad);
    for (const bad of flips(Buffer.alloc(200, 0x30), 2000)) identityOf(bad);
    for (const bad of flips(Buffer.alloc(200, Buffer.from([0x30, 0x80])), 2000)) identityOf(bad);
  });
});
