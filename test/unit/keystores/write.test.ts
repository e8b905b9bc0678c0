// The stores that Sluice writes are read by what they are for: Java's own KeyStore and keytool, BouncyCastle, openssl and GnuTLS; and by
// our own readers. test/long/store-writers.long.test.ts has more passwords and names.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { asGiven, CannotWrite, lowerCase, type NewEntry } from "../../../src/keystores/new-entry.ts";
import { readStore } from "../../../src/keystores/read.ts";
import { writeBks } from "../../../src/keystores/write-bks.ts";
import { writeJceks, writeJks } from "../../../src/keystores/write-java.ts";
import { writePkcs12 } from "../../../src/keystores/write-pkcs12.ts";
import { keytool, openssl, seenByJava } from "../../support/key-stores.ts";
import { exec } from "../../support/tools.ts";
import { ALGORITHMS, comparable, entriesOf, expected, fleet, seenBySluice, write } from "./written.ts";

const made = await fleet();
const entries = entriesOf(made);
const file = (name: string): string => join(made.directory, name);
const HARD = "pässwörter ☂ 鍵🔑";
const PLAIN = "changeit 42";
/** JCEKS makes 400 000 rounds for each key. */
const few = entriesOf(made, ["EC P-256"]);

const seen = (list: typeof entries, folded: (alias: string) => string) => comparable(expected(list, folded));

test("JKS is what Java and our reader see in it, whatever the password's letters and the algorithm", async () => {
  const bytes = writeJks(entries, HARD, PLAIN);
  expect(comparable(seenBySluice(bytes, HARD, PLAIN))).toEqual(seen(entries, lowerCase));
  const jks = write(file("a.jks"), bytes);
  expect(comparable(await seenByJava("JKS", "Java", jks, HARD, PLAIN))).toEqual(seen(entries, lowerCase));
  expect(await seenByJava("JKS", "Java", jks, HARD, "wrong")).toContain("UnrecoverableKeyException");
  expect(seenBySluice(bytes, "wrong")).toBe("password");
});

test("JCEKS is what Java and our reader see in it", async () => {
  const bytes = writeJceks(few, HARD, PLAIN);
  expect(comparable(seenBySluice(bytes, HARD, PLAIN))).toEqual(seen(few, lowerCase));
  const jceks = write(file("a.jceks"), bytes);
  expect(comparable(await seenByJava("JCEKS", "Java", jceks, HARD, PLAIN))).toEqual(seen(few, lowerCase));
  expect(seenBySluice(bytes, "wrong")).toBe("password");
});

describe.each([1, 2] as const)("BKS version %d", (version) => {
  test("is what BouncyCastle and our reader see in it, with the authority as an entry", async () => {
    const bytes = writeBks(entries, HARD, version);
    expect(bytes.readUInt32BE(0)).toBe(version);
    expect(comparable(seenBySluice(bytes, HARD))).toEqual(seen(entries, asGiven));
    const bks = write(file(`v${version}.bks`), bytes);
    const type = version === 1 ? "BKS-V1" : "BKS";
    expect(comparable(await seenByJava(type, "BC", bks, HARD))).toEqual(seen(entries, asGiven));
    expect(seenBySluice(bytes, "wrong")).toBe("password");
  });
});

describe.each([
  ["modern", {}],
  ["legacy, triple DES", { legacy: "3des" }],
  ["legacy, RC2", { legacy: "rc2" }],
] as const)("PKCS#12, %s", (name, options) => {
  test("is what Java, BouncyCastle and our reader see in it", async () => {
    const bytes = await writePkcs12(entries, PLAIN, options);
    expect(comparable(seenBySluice(bytes, PLAIN))).toEqual(seen(entries, asGiven));
    const store = write(file(`${name}.p12`), bytes);
    expect(comparable(await seenByJava("PKCS12", "Java", store, PLAIN))).toEqual(seen(entries, lowerCase));
    expect(comparable(await seenByJava("PKCS12", "BC", store, PLAIN))).toEqual(seen(entries, asGiven));
    expect(seenBySluice(bytes, "wrong")).toBe("password");
  });

  test("opens in openssl and GnuTLS with a password of any letters, and in openssl says how it is encrypted", async () => {
    const store = write(file(`${name}, hard.p12`), await writePkcs12(entries, HARD, options));
    const legacy = "legacy" in options && options.legacy === "rc2" ? ["-legacy"] : [];
    const said = await exec([
      "openssl",
      "pkcs12",
      "-in",
      store,
      "-nodes",
      "-info",
      "-passin",
      `pass:${HARD}`,
      ...legacy,
    ]);
    expect(said.code).toBe(0);
    const count = (text: string, what: string) => text.split(`-----BEGIN ${what}-----`).length - 1;
    expect(count(said.stdout, "PRIVATE KEY")).toBe(ALGORITHMS.length);
    expect(count(said.stdout, "CERTIFICATE")).toBe(entries.length);
    expect(said.stderr).toContain(
      { modern: "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256" }[name as "modern"] ??
        (legacy.length > 0 ? "pbeWithSHA1And40BitRC2-CBC" : "pbeWithSHA1And3-KeyTripleDES-CBC"),
    );
    const gnutls = await exec(["certtool", "--p12-info", "--inder", "--infile", store, "--password", HARD]);
    expect(gnutls.code).toBe(0);
    expect(count(gnutls.stdout, "CERTIFICATE")).toBe(entries.length);
  });
});

test("keytool lists what is written", async () => {
  write(file("b.p12"), await writePkcs12(few, PLAIN));
  const list = await keytool("-list", "-keystore", file("b.p12"), "-storepass", PLAIN);
  expect(list).toContain("Your keystore contains 2 entries");
  expect(list).toContain("gerät ec p-256 設備 🔑, ");
  expect(list).toContain("trustedCertEntry");
});

test("no two stores are alike: salts and initialization vectors are random", async () => {
  const makes = [
    () => writeJks(few, PLAIN),
    () => writeBks(few, PLAIN, 2),
    () => writePkcs12(few, PLAIN),
    () => writePkcs12(few, PLAIN, { legacy: "rc2" }),
  ];
  for (const make of makes) expect((await make()).equals(await make())).toBe(false);
});

describe("what a format cannot hold is said", () => {
  const { key, certificates } = made.devices["EC P-256"];
  const failure = async (make: () => Buffer | Promise<Buffer>): Promise<string> => {
    try {
      await make();
    } catch (error) {
      if (error instanceof CannotWrite) return error.message;
      throw error;
    }
    throw new Error("it was written");
  };
  const cases: Record<string, [NewEntry[], (entries: NewEntry[]) => Buffer | Promise<Buffer>, string]> = {
    "a key without a certificate": [
      [{ alias: "a", key, certificates: [] }],
      (list) => writeJks(list, PLAIN),
      'the entry "a" has no certificate',
    ],
    "a chain without a key": [
      [{ alias: "a", key: null, certificates }],
      (list) => writeBks(list, PLAIN, 2),
      'the entry "a" has a chain and no key: a trusted certificate is alone',
    ],
    "aliases that Java cannot tell apart": [
      ["Edge", "edge"].map((alias) => ({ alias, key, certificates })),
      (list) => writePkcs12(list, PLAIN),
      'two entries have the alias "edge"',
    ],
    "an alias that is too long for Java": [
      [{ alias: "機".repeat(21_846), key, certificates }],
      (list) => writeJks(list, PLAIN),
      "an alias is longer than 65535 bytes",
    ],
    "a password for JCEKS that Java would not take": [
      [{ alias: "a", key, certificates }],
      (list) => writeJceks(list, HARD),
      "Java opens keys in JCEKS only with a password in ASCII: choose another one, or another format",
    ],
  };
  test.each(Object.entries(cases))("%s", async (_, [list, make, message]) => {
    expect(await failure(() => make(list))).toBe(message);
  });

  test("but BouncyCastle tells capital letters apart", () => {
    const list = ["Edge", "edge"].map((alias) => ({ alias, key, certificates }));
    expect(readStore(writeBks(list, PLAIN, 2), PLAIN)).toMatchObject({
      entries: [{ alias: "Edge" }, { alias: "edge" }],
    });
  });

  test("and a kind of key that is none of ours is carried as it is", async () => {
    const pem = await openssl("genpkey", "-algorithm", "DSA", "-genparam", "-pkeyopt", "dsa_paramgen_bits:1024");
    const parameters = write(file("dsa.pem"), Buffer.from(pem));
    const pkcs8 = Buffer.from(
      (await openssl("genpkey", "-paramfile", parameters)).replace(/-----[A-Z ]+-----/g, ""),
      "base64",
    );
    for (const bytes of [
      writeJks([{ alias: "a", key: pkcs8, certificates }], ""),
      writeBks([{ alias: "a", key: pkcs8, certificates }], "", 2),
    ])
      expect(seenBySluice(bytes, "")).toMatchObject([{ key: pkcs8 }]);
  });
});
