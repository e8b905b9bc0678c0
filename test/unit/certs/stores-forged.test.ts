// Key stores that no tool would make: absurd numbers, nesting and sizes. Each is refused for a reason, and before it costs anything.

import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Element, parse, TAG } from "../../../src/certs/ber.ts";
import { loadFromStore } from "../../../src/certs/store-pair.ts";
import { bmpPassword, derivePkcs12, PURPOSE, utf16be } from "../../../src/certs/stores/pbe.ts";
import { readStore } from "../../../src/certs/stores/read.ts";
import { MAX_ITERATIONS, MAX_STORE_BYTES, Rounds } from "../../../src/certs/stores/store.ts";
import { element, integer, NULL, octets, oid, sequence, tagged } from "../../support/der.ts";
import { judge, PASSWORD, victims } from "./hostile.ts";
import { derOf } from "./opened.ts";

const { chain, stores } = await victims();
const storeOf = (name: string): Buffer => stores.find((store) => store.name === name)!.bytes;

const DATA = oid("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA = oid("1.2.840.113549.1.7.6");
const BAG = "1.2.840.113549.1.12.10.1.";
const SHA1 = sequence(oid("1.3.14.3.2.26"), NULL);
const SALT = octets(Buffer.from("saltsalt"));

const data = (content: Buffer) => sequence(DATA, tagged(0, octets(content)));
const pfx = (parts: readonly Buffer[], ...mac: Buffer[]) => sequence(integer(3), data(sequence(...parts)), ...mac);
const bag = (kind: number, value: Buffer) => sequence(oid(BAG + kind), tagged(0, value));
const encrypted = (algorithm: Buffer) =>
  sequence(ENCRYPTED_DATA, tagged(0, sequence(integer(0), sequence(DATA, algorithm, element(0x80, Buffer.alloc(16))))));
const pbe = (kind: number, iterations: Buffer) =>
  sequence(oid(`1.2.840.113549.1.12.1.${kind}`), sequence(SALT, iterations));
const pbkdf2 = (iterations: Buffer, ...more: Buffer[]) =>
  sequence(oid("1.2.840.113549.1.5.12"), sequence(SALT, iterations, ...more));
const AES = sequence(oid("2.16.840.1.101.3.4.1.42"), octets(Buffer.alloc(16)));
const pbes2 = (iterations: Buffer) => sequence(oid("1.2.840.113549.1.5.13"), sequence(pbkdf2(iterations), AES));
const HMAC_SHA256 = sequence(oid("1.2.840.113549.2.9"), NULL);
const pbmac1 = (iterations: Buffer, size: Buffer) => {
  const scheme = sequence(pbkdf2(iterations, size, HMAC_SHA256), HMAC_SHA256);
  return sequence(sequence(sequence(oid("1.2.840.113549.1.5.14"), scheme), octets(Buffer.alloc(32))), SALT);
};
const mac = (iterations: Buffer) => sequence(sequence(SHA1, octets(Buffer.alloc(20))), SALT, iterations);

const java = (magic: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat([u32(magic), u32(2), ...parts]);
  const digest = createHash("sha1").update(utf16be(PASSWORD)).update("Mighty Aphrodite").update(body).digest();
  return Buffer.concat([body, digest]);
};
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const counted = (bytes: Buffer) => Buffer.concat([u32(bytes.length), bytes]);
const text = (value: string) =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 0xff]), Buffer.from(value)]);
const DATE = Buffer.alloc(8);
const certificate = Buffer.concat([text("X.509"), counted(derOf(chain.cert)[0]!)]);
const JKS = 0xfeedfeed;
const JCEKS = 0xcececece;

function jceks(iterations: Buffer): Buffer {
  const algorithm = sequence(oid("1.3.6.1.4.1.42.2.19.1"), sequence(SALT, iterations));
  const sealed = sequence(algorithm, octets(Buffer.alloc(16)));
  return java(JCEKS, u32(1), u32(1), text("edge"), DATE, counted(sealed), u32(1), certificate);
}

/** A BKS store whose MAC is right when `iterations` are few. */
function bks(iterations: number, entries: Buffer): Buffer {
  const salt = Buffer.alloc(20, 7);
  const few = Math.max(1, Math.min(iterations, 1000));
  const key = derivePkcs12("sha1", bmpPassword(PASSWORD), salt, few, PURPOSE.mac, 20, new Rounds());
  const body = Buffer.concat([entries, Buffer.from([0])]);
  return Buffer.concat([u32(2), counted(salt), u32(iterations), body, createHmac("sha1", key).update(body).digest()]);
}
function bksKey(iterations: number): Buffer {
  const sealed = Buffer.concat([counted(Buffer.alloc(20, 9)), u32(iterations), Buffer.alloc(16)]);
  return Buffer.concat([Buffer.from([4]), text("edge"), DATE, u32(1), certificate, counted(sealed)]);
}

/** Why the store cannot be read, or its only key not be opened. */
function reason(bytes: Buffer): string {
  judge(bytes);
  const store = readStore(bytes, PASSWORD);
  if (store.kind === "error") return store.reason;
  const key = store.entries[0]?.key?.(PASSWORD);
  return key?.kind === "error" ? key.reason : "ok";
}

const count = (value: number): Buffer => integer(value);
/** Iteration counts as they stand in a file, and what becomes of them. */
const COUNTS = [
  ["one more than the limit", count(MAX_ITERATIONS + 1), "limit"],
  ["2^31 - 1", count(2 ** 31 - 1), "limit"],
  ["2^32 - 1", count(2 ** 32 - 1), "limit"],
  ["2^63 - 1", element(TAG.integer, Buffer.from("7fffffffffffffff", "hex")), "damaged"],
  ["zero", count(0), "damaged"],
  ["minus one", element(TAG.integer, Buffer.from([0xff])), "damaged"],
  ["no digits at all", element(TAG.integer, []), "damaged"],
] as const;

describe.each(COUNTS)("an iteration count that is %s is refused", (_, iterations, expected) => {
  const KINDS: Record<string, () => Buffer> = {
    "in the MAC of PKCS#12": () => pfx([], mac(iterations)),
    "in the MAC of RFC 9579": () => pfx([], pbmac1(iterations, integer(32))),
    "for triple DES in PKCS#12": () => pfx([encrypted(pbe(3, iterations))]),
    "for RC2 in PKCS#12": () => pfx([encrypted(pbe(6, iterations))]),
    "for PBES2": () => pfx([encrypted(pbes2(iterations))]),
    "for a key in triple DES": () =>
      pfx([data(sequence(bag(2, sequence(pbe(3, iterations), octets(Buffer.alloc(16))))))]),
    "for a key in PBES2": () => pfx([data(sequence(bag(2, sequence(pbes2(iterations), octets(Buffer.alloc(16))))))]),
    "for a key of JCEKS": () => jceks(iterations),
  };
  test.each(Object.keys(KINDS))("%s", (kind) => expect(reason(KINDS[kind]!())).toBe(expected));
});

test.each([
  [MAX_ITERATIONS + 1, "limit"],
  [2 ** 31 - 1, "limit"],
  [2 ** 32 - 1, "limit"],
  [0, "damaged"],
] as const)("BKS: an iteration count of %d is refused, for the MAC and for a key", (iterations, expected) => {
  expect(reason(bks(iterations, Buffer.alloc(0)))).toBe(expected);
  expect(reason(bks(1000, bksKey(iterations)))).toBe(expected);
});

test("the forgeries are refused for their counts alone", () => {
  expect(reason(pfx([], mac(count(1000))))).toBe("password");
  expect(reason(pfx([], pbmac1(count(1000), integer(32))))).toBe("password");
  for (const algorithm of [pbe(3, count(1000)), pbe(6, count(1000)), pbes2(count(1000))])
    expect(reason(pfx([encrypted(algorithm)]))).toBe("password");
  expect(reason(jceks(count(1000)))).toBe("password");
  expect(reason(bks(1000, Buffer.alloc(0)))).toBe("ok");
  expect(reason(bks(1000, bksKey(1000)))).toBe("password");
});

test("many parts that each ask for iterations share one limit", () => {
  const half = encrypted(pbes2(count(MAX_ITERATIONS / 2 + 1)));
  const good = parse(storeOf("PKCS#12 without a MAC")).children()[1]!.children()[1]!.children()[0]!.octets();
  const parts = parse(good)
    .children()
    .map((part) => part.whole);
  expect(reason(pfx([...parts, encrypted(pbes2(count(MAX_ITERATIONS)))]))).toBe("limit");
  // The first part fails for its password already, so the sum shows in the MAC and what follows it.
  expect(reason(pfx([half]))).toBe("password");
});

test("the key of a MAC can be neither tiny nor huge, whose blocks cost all of the iterations each", () => {
  for (const size of [0, 1, 19, 129, 2 ** 31 - 1])
    expect(reason(pfx([], pbmac1(count(1), integer(size))))).toBe("damaged");
  expect(reason(pfx([], pbmac1(count(MAX_ITERATIONS / 2), integer(128))))).toBe("limit");
});

test("a MAC of the wrong length is refused before it is computed", () => {
  const long = sequence(sequence(SHA1, octets(Buffer.alloc(1_000_000))), SALT, count(1));
  expect(reason(pfx([], long))).toBe("damaged");
});

test("a salt of a megabyte is refused", () => {
  const salt = octets(Buffer.alloc(1_000_000));
  expect(reason(pfx([], sequence(sequence(SHA1, octets(Buffer.alloc(20))), salt, count(1))))).toBe("damaged");
  for (const algorithm of [
    sequence(oid("1.2.840.113549.1.12.1.3"), sequence(salt, count(1))),
    sequence(
      oid("1.2.840.113549.1.5.13"),
      sequence(sequence(oid("1.2.840.113549.1.5.12"), sequence(salt, count(1))), AES),
    ),
  ])
    expect(reason(pfx([encrypted(algorithm)]))).toBe("damaged");
});

describe("counts and lengths of 4 294 967 295", () => {
  const HUGE = u32(0xffffffff);
  const head = [u32(1), text("edge"), DATE];
  const CASES: Record<string, [Buffer, string]> = {
    "entries of a JKS": [java(JKS, HUGE), "limit"],
    "bytes of a JKS key": [java(JKS, u32(1), ...head, HUGE), "damaged"],
    "certificates of a JKS chain": [java(JKS, u32(1), ...head, counted(Buffer.alloc(4)), HUGE), "limit"],
    "bytes of a JKS certificate": [java(JKS, u32(1), u32(2), text("root"), DATE, text("X.509"), HUGE), "damaged"],
    "characters of a JKS alias": [java(JKS, u32(1), u32(1), HUGE), "damaged"],
    "certificates of a BKS chain": [bks(1, Buffer.concat([Buffer.from([4]), text("edge"), DATE, HUGE])), "limit"],
    "bytes of a BKS key": [bks(1, Buffer.concat([Buffer.from([4]), text("edge"), DATE, u32(0), HUGE])), "damaged"],
    "bytes of a BKS salt": [Buffer.concat([u32(2), HUGE, Buffer.alloc(64)]), "damaged"],
    "bytes of a PKCS#12": [Buffer.concat([Buffer.from([0x30, 0x84]), HUGE, integer(3), Buffer.alloc(64)]), "damaged"],
  };
  test.each(Object.keys(CASES))("%s", (name) => {
    const [bytes, expected] = CASES[name]!;
    expect(reason(bytes)).toBe(expected);
  });
});

describe("as much as a store may be large", () => {
  const room = MAX_STORE_BYTES - 1000;
  const filled = (content: Buffer) => pfx([data(content)]);
  const CASES: Record<string, [() => Buffer, string]> = {
    "more bytes than that": [() => Buffer.concat([storeOf("JKS"), Buffer.alloc(MAX_STORE_BYTES)]), "limit"],
    "zero bytes": [() => Buffer.alloc(room), "damaged"],
    "indefinite lengths within each other": [
      () => Buffer.from(`3080020103${"3080".repeat(room / 2)}`, "hex"),
      "damaged",
    ],
    "octet strings within each other": [
      () => Buffer.from(`3080020103308006092a864886f70d010701a080${"2480".repeat(room / 2)}`, "hex"),
      "damaged",
    ],
    "two million empty elements": [() => filled(sequence(Buffer.alloc(room, Buffer.from(NULL)))), "damaged"],
    "two million empty pieces": [
      () =>
        sequence(integer(3), sequence(DATA, tagged(0, element(0x24, Buffer.alloc(room, Buffer.from("0400", "hex")))))),
      "damaged",
    ],
    "two million elements, deep in indefinite lengths": [
      () => {
        const inner = Buffer.alloc(room, Buffer.from("0400", "hex"));
        const deep = Buffer.concat([Buffer.from("2480".repeat(10), "hex"), inner, Buffer.alloc(2 * 10)]);
        return sequence(integer(3), sequence(DATA, tagged(0, deep)));
      },
      "damaged",
    ],
    "parts within parts": [
      () => {
        let inner = sequence();
        for (let i = 0; i < 100; i++) inner = sequence(bag(6, inner));
        return filled(inner);
      },
      "damaged",
    ],
    "hundred thousand certificates": [
      () => {
        const value = sequence(oid("1.2.840.113549.1.9.22.1"), tagged(0, octets([])));
        return filled(sequence(Buffer.alloc(100_000 * bag(3, value).length, bag(3, value))));
      },
      "damaged",
    ],
    "twelve thousand certificates": [
      () => {
        const value = sequence(oid("1.2.840.113549.1.9.22.1"), tagged(0, octets([])));
        return filled(sequence(Buffer.alloc(12_000 * bag(3, value).length, bag(3, value))));
      },
      "limit",
    ],
    "four megabytes in RC2": [
      () => {
        const sealed = element(0x80, Buffer.alloc(room & ~7));
        const info = sequence(DATA, pbe(6, count(1)), sealed);
        return pfx([sequence(ENCRYPTED_DATA, tagged(0, sequence(integer(0), info)))]);
      },
      "password",
    ],
    "a JKS key of four megabytes": [
      () => {
        const sealed = sequence(sequence(oid("1.3.6.1.4.1.42.2.17.1.1"), NULL), octets(Buffer.alloc(room - 2000)));
        return java(JKS, u32(1), u32(1), text("edge"), DATE, counted(sealed), u32(1), certificate);
      },
      "password",
    ],
  };
  test.each(Object.keys(CASES))("%s", (name) => {
    const [make, expected] = CASES[name]!;
    expect(reason(make())).toBe(expected);
  });
});

test("a chain of nine thousand certificates is cut where no client would follow it", () => {
  // Names are changed in a copy of a real certificate: nobody looks at its signature here.
  const leaf = derOf(chain.cert)[0]!;
  const named = (index: number) => `N${String(index).padStart(11, "0")}`;
  expect(readFileSync(chain.issuer).length).toBeGreaterThan(0);
  const store = readStore(storeOf("PKCS#12 without encryption"), PASSWORD);
  if (store.kind === "error") throw new Error(store.message);
  const key = store.entries[0]!.key!(PASSWORD);
  if (key.kind === "error") throw new Error(key.message);
  const link = (index: number): Buffer => {
    const renamed = renameIssuer(leaf, named(index + 1));
    return index === 0 ? renamed : renameSubject(renamed, named(index));
  };
  const bags = Array.from({ length: 9_000 }, (_, index) =>
    bag(3, sequence(oid("1.2.840.113549.1.9.22.1"), tagged(0, octets(link(index))))),
  );
  const forged = pfx([data(sequence(bag(1, key.pkcs8), ...bags))]);
  expect(forged.length).toBeLessThan(MAX_STORE_BYTES);
  const loaded = loadFromStore(forged, { type: undefined, storePassword: null, keyPassword: null, alias: undefined });
  if (loaded.kind === "error") throw new Error(loaded.message);
  expect(derOf(loaded.pair.cert)).toEqual(Array.from({ length: 32 }, (_, index) => link(index)));
});

/** TBSCertificate of version 1: serial number, algorithm, issuer, validity, subject, key. */
function rename(der: Buffer, field: 2 | 4, name: string): Buffer {
  const [tbs, ...rest] = parse(der).children() as [Element, ...Element[]];
  const fields = tbs.children().map((each) => each.whole);
  const skip = tbs.children()[0]!.tag === TAG.context(0) ? 1 : 0;
  const attribute = sequence(oid("2.5.4.3"), element(0x0c, Buffer.from(name)));
  fields[field + skip] = sequence(element(0x31, [attribute]));
  return sequence(sequence(...fields), ...rest.map((each) => each.whole));
}
const renameIssuer = (der: Buffer, name: string) => rename(der, 2, name);
const renameSubject = (der: Buffer, name: string) => rename(der, 4, name);
