// Key stores that no tool would make: absurd numbers, nesting and sizes. Each is refused for a reason, and before it costs anything.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse, TAG } from "../../../src/asn1/ber.ts";
import { loadFromStore } from "../../../src/certs/store-pair.ts";
import { readStore } from "../../../src/keystores/read.ts";
import { MAX_ITERATIONS, MAX_STORE_BYTES } from "../../../src/keystores/store.ts";
import { der, dottedOid, integer, NULL, octets, sequence, tagged } from "../../support/der.ts";
import { FULL, sized } from "../../support/full-size.ts";
import { openssl } from "../../support/key-stores.ts";
import {
  AES,
  bag,
  bks,
  bksKey,
  certificate,
  counted,
  DATA,
  DATE,
  data,
  ENCRYPTED_DATA,
  encrypted,
  JKS,
  java,
  jceks,
  mac,
  pbe,
  pbes2,
  pbmac1,
  pfx,
  renamed,
  SALT,
  SHA1,
  text,
  u32,
} from "./forge.ts";
import { judge, PASSWORD, victims } from "./hostile.ts";
import { derOf } from "./opened.ts";

const { chain, stores } = await victims(["JKS", "PKCS#12 without a MAC", "PKCS#12 without encryption"]);
/** A certificate for the key of the chain, without extensions. */
const bare = join(chain.directory, "bare.crt");
await openssl("req", "-new", "-key", chain.key, "-subj", "/CN=edge.example", "-out", `${bare}.csr`);
await chain.sign(`${bare}.csr`, bare);
const storeOf = (name: string): Buffer => stores.find((store) => store.name === name)!.bytes;

/** Why the store cannot be read, or its only key not be opened. */
function reason(bytes: Buffer): string {
  judge(bytes);
  return reasonAtOnce(bytes);
}

/** The same, without the other ways of reading that could throw: for what costs much each time. */
function reasonAtOnce(bytes: Buffer): string {
  const store = readStore(bytes, PASSWORD);
  if (store.kind === "error") return store.reason;
  const key = store.entries[0]?.key?.(PASSWORD);
  return key?.kind === "error" ? key.reason : "ok";
}

/** In test/long these too are read in every way. */
const costly = FULL ? reason : reasonAtOnce;

const count = (value: number): Buffer => integer(value);
/** Iteration counts as they stand in a file, and what becomes of them. */
const COUNTS = [
  ["one more than the limit", count(MAX_ITERATIONS + 1), "limit"],
  ["2^31 - 1", count(2 ** 31 - 1), "limit"],
  ["2^32 - 1", count(2 ** 32 - 1), "limit"],
  ["2^63 - 1", der(TAG.integer, Buffer.from("7fffffffffffffff", "hex")), "damaged"],
  ["zero", count(0), "damaged"],
  ["minus one", der(TAG.integer, Buffer.from([0xff])), "damaged"],
  ["no digits at all", der(TAG.integer), "damaged"],
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
  const greedy = encrypted(pbes2(count(MAX_ITERATIONS)));
  const good = parse(storeOf("PKCS#12 without a MAC")).children()[1]!.children()[1]!.children()[0]!.octets();
  const parts = parse(good)
    .children()
    .map((part) => part.whole);
  expect(costly(pfx([...parts, greedy]))).toBe("limit");
  expect(costly(pfx([greedy]))).toBe("password");
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
    sequence(dottedOid("1.2.840.113549.1.12.1.3"), sequence(salt, count(1))),
    sequence(
      dottedOid("1.2.840.113549.1.5.13"),
      sequence(sequence(dottedOid("1.2.840.113549.1.5.12"), sequence(salt, count(1))), AES),
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
  const sealedBytes = sized(room - 2000, room / 4) & ~7;
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
      () => sequence(integer(3), sequence(DATA, tagged(0, der(0x24, Buffer.alloc(room, Buffer.from("0400", "hex")))))),
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
        const value = sequence(dottedOid("1.2.840.113549.1.9.22.1"), tagged(0, octets()));
        return filled(sequence(Buffer.alloc(100_000 * bag(3, value).length, bag(3, value))));
      },
      "damaged",
    ],
    "twelve thousand certificates": [
      () => {
        const value = sequence(dottedOid("1.2.840.113549.1.9.22.1"), tagged(0, octets()));
        return filled(sequence(Buffer.alloc(12_000 * bag(3, value).length, bag(3, value))));
      },
      "limit",
    ],
    "as much as fits in RC2": [
      () => {
        const sealed = der(0x80, Buffer.alloc(sealedBytes));
        const info = sequence(DATA, pbe(6, count(1)), sealed);
        return pfx([sequence(ENCRYPTED_DATA, tagged(0, sequence(integer(0), info)))]);
      },
      "password",
    ],
    "a JKS key of as much as fits": [
      () => {
        const sealed = sequence(
          sequence(dottedOid("1.3.6.1.4.1.42.2.17.1.1"), NULL),
          octets(Buffer.alloc(sealedBytes)),
        );
        return java(JKS, u32(1), u32(1), text("edge"), DATE, counted(sealed), u32(1), certificate);
      },
      "password",
    ],
  };
  test.each(Object.keys(CASES))("%s", (name) => {
    const [make, expected] = CASES[name]!;
    expect(costly(make())).toBe(expected);
  });
});

const MANY = sized(9_000, 900);

describe(`${MANY} certificates`, () => {
  // Names are changed in copies of a real certificate, whose signature is wrong then: nobody looks at it before the names fit.
  // It has no extensions: identifiers of keys would tell that the copies have not issued each other.
  const leaf = derOf(bare)[0]!;
  const named = (index: number) => `N${String(index).padStart(11, "0")}`;

  function served(links: readonly Buffer[]): Buffer[] {
    const store = readStore(storeOf("PKCS#12 without encryption"), PASSWORD);
    if (store.kind === "error") throw new Error(store.message);
    const key = store.entries[0]!.key!(PASSWORD);
    if (key.kind === "error") throw new Error(key.message);
    const bags = links.map((link) => bag(3, sequence(dottedOid("1.2.840.113549.1.9.22.1"), tagged(0, octets(link)))));
    const forged = pfx([data(sequence(bag(1, key.pkcs8), ...bags))]);
    expect(forged.length).toBeLessThan(MAX_STORE_BYTES);
    const loaded = loadFromStore(forged, { type: undefined, storePassword: null, keyPassword: null, alias: undefined });
    if (loaded.kind === "error") throw new Error(loaded.message);
    return derOf(loaded.pair.cert);
  }

  test("in one chain are cut where no client would follow it", () => {
    const link = (index: number): Buffer =>
      renamed(leaf, { issuer: named(index + 1), ...(index === 0 ? {} : { subject: named(index) }) });
    const links = Array.from({ length: MANY }, (_, index) => link(index));
    expect(served(links)).toEqual(links.slice(0, 32));
  });

  test("that all seem to have issued each other are not all compared by their signatures", () => {
    const link = (index: number): Buffer =>
      renamed(leaf, { issuer: named((index + 1) % 2), subject: named(index % 2), serial: index });
    const links = Array.from({ length: MANY }, (_, index) => link(index));
    expect(served(links)).toHaveLength(32);
  });
});
