// Every writer of key stores over algorithms, aliases and passwords of all sorts: our readers, Java, BouncyCastle, openssl, GnuTLS and
// node-forge see what went in, or the format says that it cannot. What each program cannot read is written down here, as in
// docs/certificates.md.

import { expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { join } from "node:path";
import forge from "node-forge";
import { asGiven, CannotWrite, lowerCase, type NewEntry } from "../../src/keystores/new-entry.ts";
import { writeBks } from "../../src/keystores/write-bks.ts";
import { writeJceks, writeJks } from "../../src/keystores/write-java.ts";
import { writePkcs12 } from "../../src/keystores/write-pkcs12.ts";
import { seenByJava } from "../support/key-stores.ts";
import { random } from "../support/random.ts";
import { exec } from "../support/tools.ts";
import {
  ALGORITHMS,
  ALL_ALGORITHMS,
  comparable,
  entriesOf,
  expected,
  fleet,
  seenBySluice,
  write,
} from "../unit/keystores/written.ts";

const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20261126);
const made = await fleet(ALL_ALGORITHMS);
const file = (name: string): string => join(made.directory, name);

const PASSWORDS = {
  "in ASCII": "changeit 42 ~!\"'\\",
  empty: "",
  "with umlauts": "pässwörter",
  "in CJK": "鍵のパスワード",
  "with emoji": "🔑☂️",
  "that is long": "0123456789".repeat(30),
} as const;
type Kind = keyof typeof PASSWORDS;
const ASCII: readonly Kind[] = ["in ASCII", "empty", "that is long"];

const KINDS = {
  JKS: (entries: NewEntry[], password: string) => writeJks(entries, password),
  JCEKS: (entries: NewEntry[], password: string) => writeJceks(entries, password),
  BKS: (entries: NewEntry[], password: string) => writeBks(entries, password, 2),
  "BKS-V1": (entries: NewEntry[], password: string) => writeBks(entries, password, 1),
  "PKCS#12": (entries: NewEntry[], password: string) => writePkcs12(entries, password),
  "PKCS#12, 3DES": (entries: NewEntry[], password: string) => writePkcs12(entries, password, { legacy: "3des" }),
  "PKCS#12, RC2": (entries: NewEntry[], password: string) => writePkcs12(entries, password, { legacy: "rc2" }),
} as const;
type Format = keyof typeof KINDS;

const cases = (Object.keys(KINDS) as Format[]).flatMap((format) =>
  (Object.keys(PASSWORDS) as Kind[]).map((kind) => [format, kind] as const),
);

/** What a program is known not to open, though the store is sound. */
function closedTo(program: "Java" | "BC", format: Format, kind: Kind): boolean {
  if (!format.startsWith("PKCS#12")) return false;
  return program === "Java" ? !ASCII.includes(kind) : format === "PKCS#12" && kind === "empty";
}

test.each(cases)("%s with a password %s", async (format, kind) => {
  const password = PASSWORDS[kind];
  // Java makes 400 000 rounds for each key of JCEKS.
  const entries = entriesOf(made, format === "JCEKS" ? ["Ed25519"] : ALGORITHMS);
  if (format === "JCEKS" && !ASCII.includes(kind)) {
    expect(() => writeJceks(entries, password)).toThrow(CannotWrite);
    return;
  }
  const bytes = await KINDS[format](entries, password);
  const isJava = format === "JKS" || format === "JCEKS";
  expect(comparable(seenBySluice(bytes, password))).toEqual(
    comparable(expected(entries, isJava ? lowerCase : asGiven)),
  );
  if (password !== "" || !format.startsWith("BKS")) expect(seenBySluice(bytes, `${password}x`)).toBe("password");
  const store = write(file("store"), bytes);
  const type = format.startsWith("PKCS#12") ? "PKCS12" : (format as "JKS" | "JCEKS" | "BKS" | "BKS-V1");
  for (const program of type === "PKCS12"
    ? (["Java", "BC"] as const)
    : [isJava ? ("Java" as const) : ("BC" as const)]) {
    const seen = await seenByJava(type, program, store, password);
    if (closedTo(program, format, kind)) expect(seen).toBeString();
    else expect(comparable(seen)).toEqual(comparable(expected(entries, program === "Java" ? lowerCase : asGiven)));
  }
  if (type === "PKCS12") await opensElsewhere(store, password, format, entries.length);
});

/** openssl and GnuTLS open it, and find as many keys and certificates. */
async function opensElsewhere(
  store: string,
  password: string,
  format: Format,
  certificates: number,
  keys = ALGORITHMS.length,
): Promise<void> {
  const legacy = format === "PKCS#12, RC2" ? ["-legacy"] : [];
  const openssl = await exec(["openssl", "pkcs12", "-in", store, "-nodes", "-passin", `pass:${password}`, ...legacy]);
  const gnutls = await exec(["certtool", "--p12-info", "--inder", "--infile", store, "--password", password]);
  for (const [program, { code, stdout }] of Object.entries({ openssl, gnutls })) {
    expect({ program, password, code }).toEqual({ program, password, code: 0 });
    expect(stdout.match(/BEGIN (?:ENCRYPTED )?PRIVATE KEY/g) ?? []).toHaveLength(keys);
    expect(stdout.match(/BEGIN CERTIFICATE/g) ?? []).toHaveLength(certificates);
  }
}

/** Letters of a password, by what is in it. */
const LETTERS: Readonly<Record<"ASCII" | "any", readonly string[]>> = {
  ASCII: [..."aZ09 ~!\"#$%&'()*+,-./:;<=>?@[]^_`{|}\\"],
  any: [..."aZ09 äÖßéЖשع鍵機設한🔑🌡☂️€ñ"],
};

test("random algorithms, aliases and passwords: every reader sees what went in", async () => {
  const dice = random(seed);
  const formats = Object.keys(KINDS) as Format[];
  const word = (letters: readonly string[], longest: number) =>
    Array.from({ length: dice.below(longest + 1) }, () => dice.pick(letters)).join("");
  for (let round = 0; round < 70; round++) {
    const format = formats[round % formats.length]!;
    const isAscii = format === "JCEKS" || dice.chance(0.5);
    const password = word(isAscii ? LETTERS.ASCII : LETTERS.any, dice.chance(0.2) ? 400 : 20);
    const chosen = Array.from({ length: 1 + dice.below(format === "JCEKS" ? 1 : 3) }, () => dice.pick(ALL_ALGORITHMS));
    const entries = [...new Set(chosen)].map((algorithm) => ({
      ...{ alias: `${word(LETTERS.any, 30)} ${algorithm}`.trim(), ...made.devices[algorithm] },
    }));
    const where = `seed ${seed}, round ${round}, ${format}, password ${JSON.stringify(password)}`;
    const seenIs = (seen: ReturnType<typeof seenBySluice>, folded: (alias: string) => string) =>
      expect({ where, seen: comparable(seen) }).toEqual({ where, seen: comparable(expected(entries, folded)) });
    const bytes = await KINDS[format](entries, password);
    const isJava = format === "JKS" || format === "JCEKS";
    seenIs(seenBySluice(bytes, password), isJava ? lowerCase : asGiven);
    const store = write(file("random"), bytes);
    if (!format.startsWith("PKCS#12")) {
      const type = format as "JKS" | "JCEKS" | "BKS" | "BKS-V1";
      seenIs(await seenByJava(type, isJava ? "Java" : "BC", store, password), isJava ? lowerCase : asGiven);
      continue;
    }
    const kind: Kind =
      password === "" ? "empty" : LETTERS.ASCII.includes(password[0]!) && isAscii ? "in ASCII" : "in CJK";
    for (const program of ["Java", "BC"] as const) {
      const seen = await seenByJava("PKCS12", program, store, password);
      if (closedTo(program, format, kind)) expect([where, typeof seen]).toEqual([where, "string"]);
      else seenIs(seen, program === "Java" ? lowerCase : asGiven);
    }
    // Their authority is in it once.
    await opensElsewhere(store, password, format, entries.length + 1, entries.length);
  }
});

test("GnuTLS composes a letter and its accent before it looks, as is documented; the others take what is typed", async () => {
  const password = "cafe\u0301";
  const store = write(file("composed.p12"), await writePkcs12(entriesOf(made, ["EC P-256"]), password));
  expect((await exec(["openssl", "pkcs12", "-in", store, "-noout", "-passin", `pass:${password}`])).code).toBe(0);
  expect(await seenByJava("PKCS12", "BC", store, password)).toBeArrayOfSize(2);
  const gnutls = await exec(["certtool", "--p12-info", "--inder", "--infile", store, "--password", password]);
  expect(gnutls.stderr).toContain("The Message Authentication Code verification failed");
});

test("random aliases come out of every format as they went in, but for capital letters in Java's", async () => {
  const dice = random(seed);
  const letters = [..."aZ09 _-.:äÖßéЖשع機設한🔑🌡👩‍🔧\u0000\u0001\u007f\u00a0\u2028\ufeff\"'\\/"];
  const device = made.devices["EC P-256"];
  const ca = made.authority;
  for (let round = 0; round < 60; round++) {
    const aliases = new Map<string, NewEntry & { key: typeof device.key | null }>();
    for (let i = dice.below(6); i >= 0; i--) {
      const alias = Array.from({ length: 1 + dice.below(40) }, () => dice.pick(letters)).join("");
      aliases.set(
        alias.toLowerCase(),
        dice.chance(0.5) ? { alias, ...device } : { alias, key: null, certificates: [ca] },
      );
    }
    const entries = [...aliases.values()];
    for (const format of ["JKS", "BKS", "BKS-V1", "PKCS#12"] as const) {
      const seen = seenBySluice(await KINDS[format](entries, "x"), "x");
      if (typeof seen === "string") throw new Error(`seed ${seed}, round ${round}, ${format}: ${seen}`);
      const wanted = expected(entries, format === "JKS" ? lowerCase : asGiven);
      expect(seen.map(({ alias }) => alias)).toEqual(wanted.map(({ alias }) => alias));
    }
    if (round % 10 !== 0) continue;
    const jks = write(file("random.jks"), writeJks(entries, "x"));
    const bks = write(file("random.bks"), writeBks(entries, "x", 2));
    expect(comparable(await seenByJava("JKS", "Java", jks, "x"))).toEqual(comparable(expected(entries, lowerCase)));
    expect(comparable(await seenByJava("BKS", "BC", bks, "x"))).toEqual(comparable(expected(entries, asGiven)));
  }
});

test("node-forge, which knows only RSA, opens what is written with triple DES and RC2", async () => {
  for (const legacy of ["3des", "rc2"] as const)
    for (const password of Object.values(PASSWORDS)) {
      const bytes = await writePkcs12(entriesOf(made, ["RSA 2048"]), password, { legacy });
      const asn1 = forge.asn1.fromDer(bytes.toString("latin1"));
      const store = forge.pkcs12.pkcs12FromAsn1(asn1, true, password);
      const bag = forge.pki.oids.pkcs8ShroudedKeyBag!;
      const [key] = store.getBags({ bagType: bag })[bag]!;
      const pem = forge.pki.privateKeyToPem(key!.key!);
      expect(createPrivateKey(pem).equals(made.devices["RSA 2048"].key)).toBe(true);
    }
});
