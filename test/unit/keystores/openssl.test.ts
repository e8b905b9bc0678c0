// PKCS#12 as openssl writes it, in every way of encryption that it has had.

import { describe, expect, test } from "bun:test";
import { createHmac, createPrivateKey, pbkdf2Sync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../../src/asn1/ber.ts";
import { readStore, storeType } from "../../../src/keystores/read.ts";
import { dottedOid, integer, NULL, octets, sequence } from "../../support/der.ts";
import { chainOfThree, openssl, someAtATime } from "../../support/key-stores.ts";
import { belongs, derOf, entryOf, keyOf, opened, refused } from "./opened.ts";

const [ec, rsa] = await Promise.all([chainOfThree("ec"), chainOfThree("rsa")]);
const PASSWORD = "store-secret";
const NAME = "edge";
const file = (name: string): string => join(ec.directory, `${name}.p12`);

interface Variant {
  readonly args: readonly string[];
  readonly chain?: typeof ec;
  readonly password?: string;
  /** What cannot be had without the password. */
  readonly sealed?: "all" | "key" | "nothing";
}

const LEGACY = ["-legacy"];
const variants: Record<string, Variant> = {
  "modern, EC": { args: [] },
  "modern, RSA": { args: [], chain: rsa },
  "legacy (RC2-40 and triple DES), EC": { args: LEGACY },
  "legacy (RC2-40 and triple DES), RSA": { args: LEGACY, chain: rsa },
  "RC2 with 128 bits for both": { args: [...LEGACY, "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"] },
  "RC4 with 128 bits for both": { args: [...LEGACY, "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-128"] },
  "RC4 with 40 bits for both": { args: [...LEGACY, "-keypbe", "PBE-SHA1-RC4-40", "-certpbe", "PBE-SHA1-RC4-40"] },
  "triple DES with two keys": { args: [...LEGACY, "-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"] },
  "triple DES for both": { args: [...LEGACY, "-descert"] },
  "AES-128 and AES-192": { args: ["-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC"] },
  "triple DES in PBES2": { args: ["-keypbe", "DES-EDE3-CBC", "-certpbe", "DES-EDE3-CBC"] },
  "MAC with SHA-1": { args: ["-macalg", "sha1"] },
  "MAC with SHA-224": { args: ["-macalg", "sha224"] },
  "MAC with SHA-384": { args: ["-macalg", "sha384"] },
  "MAC with SHA-512": { args: ["-macalg", "sha512"] },
  "one iteration": { args: ["-noiter", "-nomaciter"] },
  "many iterations": { args: ["-iter", "100000"] },
  "key and certificates not encrypted": { args: ["-keypbe", "NONE", "-certpbe", "NONE"] },
  "only the key encrypted": { args: ["-certpbe", "NONE"] },
  // It then leaves the certificates open, unless it is told otherwise.
  "without a MAC": { args: ["-nomac"], sealed: "key" },
  "without a MAC, all encrypted": { args: ["-nomac", "-certpbe", "AES-256-CBC"] },
  "without a MAC, all encrypted, legacy": { args: ["-nomac", ...LEGACY, "-certpbe", "PBE-SHA1-RC2-40"] },
  "without a MAC or encryption": { args: ["-nomac", "-keypbe", "NONE", "-certpbe", "NONE"], sealed: "nothing" },
  "empty password": { args: [], password: "" },
  "empty password, legacy": { args: LEGACY, password: "" },
  "password that is not ASCII": { args: [], password: "pässwörter ☂" },
  "password that is not ASCII, legacy": { args: LEGACY, password: "pässwörter ☂ 🔑" },
  "long password": { args: LEGACY, password: "0123456789".repeat(20) },
  "names for the authorities": { args: ["-caname", "issuer", "-caname", "root"] },
};

function exported(out: string, { args, chain = ec, password = PASSWORD }: Variant): Promise<string> {
  const from = ["-inkey", chain.key, "-in", chain.cert, "-certfile", chain.authorities, "-name", NAME];
  return openssl("pkcs12", "-export", ...from, "-out", file(out), "-passout", `pass:${password}`, ...args);
}

await someAtATime([
  ...Object.entries(variants).map(
    ([name, variant]) =>
      () =>
        exported(name, variant),
  ),
  () => openssl("pkcs12", "-export", "-nokeys", "-in", ec.cert, "-out", file("no-key"), "-passout", `pass:${PASSWORD}`),
  () =>
    openssl(
      "pkcs12",
      "-export",
      "-nocerts",
      "-inkey",
      ec.key,
      "-out",
      file("no-certificate"),
      "-passout",
      `pass:${PASSWORD}`,
    ),
]);

describe.each(Object.entries(variants))(
  "PKCS#12 of openssl: %s",
  (name, { chain = ec, password = PASSWORD, sealed = "all" }) => {
    test("gives key, certificate and chain as they went in", () => {
      const store = opened(file(name), password);
      expect(store).toMatchObject({ type: "PKCS12", verified: !name.startsWith("without") });
      expect(store.entries.map(({ alias }) => alias)).toEqual([NAME]);
      const entry = entryOf(store, NAME);
      expect(entry.certificates).toEqual(derOf(chain.cert));
      expect(store.loose).toEqual(derOf(chain.authorities));
      expect(belongs(entry, password)).toBe(true);
      expect(keyOf(entry, password).equals(createPrivateKey(readFileSync(chain.key)))).toBe(true);
    });

    test(`with a wrong password nothing is to be had of what is sealed: ${sealed}`, () => {
      for (const wrong of ["wrong-secret", `${password}x`, "wörong"]) {
        if (sealed === "all") {
          expect(refused(file(name), wrong)).toBe("password");
          continue;
        }
        const entry = entryOf(opened(file(name), wrong), NAME);
        if (sealed === "nothing") expect(belongs(entry, wrong)).toBe(true);
        else expect(entry.key!(wrong)).toMatchObject({ kind: "error", reason: "password" });
      }
    });
  },
);

test("of two hundred wrong passwords none is taken for damage, where no MAC tells", () => {
  // A padding that is right by chance comes once in 256 times.
  const bytes = readFileSync(file("without a MAC, all encrypted, legacy"));
  const sealed = entryOf(opened(file("without a MAC, all encrypted, legacy"), PASSWORD), NAME);
  for (let i = 0; i < 200; i++) {
    expect(readStore(bytes, `wrong ${i}`)).toMatchObject({ kind: "error", reason: "password" });
    expect(sealed.key!(`wrong ${i}`)).toMatchObject({ kind: "error", reason: "password" });
  }
});

test("a store without a key has no entry with one; a key may be without certificate", () => {
  expect(opened(file("no-key"), PASSWORD)).toMatchObject({ entries: [], loose: derOf(ec.cert) });
  const store = opened(file("no-certificate"), PASSWORD);
  expect(store).toMatchObject({ entries: [{ kind: "key", certificates: [] }], loose: [] });
  expect(keyOf(store.entries[0]!, PASSWORD).asymmetricKeyType).toBe("ec");
});

test("what is no key store is not taken for one", () => {
  const others = [readFileSync(ec.cert), readFileSync(ec.key), ...derOf(ec.cert), ...derOf(ec.key), ...derOf(rsa.key)];
  for (const bytes of [...others, Buffer.alloc(0), Buffer.alloc(100), Buffer.from("hello, this is text")]) {
    expect(storeType(bytes)).toBe(null);
    expect(readStore(bytes, PASSWORD)).toMatchObject({ kind: "error", reason: "damaged" });
  }
});

/** Openssl before 3.4 does not write PBMAC1, so this follows RFC 9579: it puts such a MAC behind what a real openssl has made. */
function withPbmac1(macHash: number, prf: number, size: number, password: string): Buffer {
  const names: Record<number, string> = { 9: "sha256", 10: "sha384", 11: "sha512" };
  const [version, safe] = parse(readFileSync(file("without a MAC"))).children();
  const content = safe!.children()[1]!.children()[0]!.octets();
  const salt = Buffer.from("a salt of its own");
  const key = pbkdf2Sync(password, salt, 2048, size, names[prf]!);
  const mac = createHmac(names[macHash]!, key).update(content).digest();
  const hmac = (id: number): Buffer => sequence(dottedOid(`1.2.840.113549.2.${id}`), NULL);
  const parameters = sequence(octets(salt), integer(2048), integer(size), hmac(prf));
  const pbmac1 = sequence(
    dottedOid("1.2.840.113549.1.5.14"),
    sequence(sequence(dottedOid("1.2.840.113549.1.5.12"), parameters), hmac(macHash)),
  );
  return sequence(version!.whole, safe!.whole, sequence(sequence(pbmac1, octets(mac)), octets(), integer(1)));
}

test("a MAC of RFC 9579 is checked", () => {
  for (const [macHash, prf, size] of [
    [9, 9, 32],
    [11, 9, 64],
    [11, 11, 64],
    [10, 10, 48],
  ] as const) {
    writeFileSync(file("pbmac1"), withPbmac1(macHash, prf, size, PASSWORD));
    expect(opened(file("pbmac1"), PASSWORD).verified).toBe(true);
    expect(belongs(entryOf(opened(file("pbmac1"), PASSWORD), NAME), PASSWORD)).toBe(true);
    expect(refused(file("pbmac1"), "wrong-secret")).toBe("password");
  }
  // RFC 9579 section 9: a short key would let one MAC match under many passwords.
  writeFileSync(file("pbmac1"), withPbmac1(9, 9, 8, PASSWORD));
  expect(refused(file("pbmac1"), PASSWORD)).toBe("damaged");
});
