// Key stores that keytool makes, with Java's own types and with BouncyCastle's: the certificates are those that went in, the keys open
// with their passwords and with no others.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadFromStore } from "../../../src/certs/store-pair.ts";
import { BOUNCY_CASTLE, chainOfThree, keytool, openssl, someAtATime } from "../../support/key-stores.ts";
import { counted, DATE, JKS, java, text, u32 } from "./forge.ts";
import { belongs, derOf, entryOf, keyOf, opened, refused } from "./opened.ts";

const PASSWORD = "store-secret";
const KEY_PASSWORD = "key-secret";
const chain = await chainOfThree("rsa");
const file = (name: string): string => join(chain.directory, name);
const access = (name: string) => ["-keystore", file(name), "-storepass", PASSWORD];
const makeKey = (name: string, alias: string, ...args: string[]) =>
  keytool("-genkeypair", "-alias", alias, "-dname", "CN=buero.example", ...access(name), ...args);
const EC = ["-keyalg", "EC", "-groupname", "secp256r1"];

/** Puts the pair of the chain into a store. It comes from openssl, whose one start costs a tenth of a start of keytool. */
async function importPair(name: string, alias: string, ...args: string[]): Promise<void> {
  const source = file(`${name}.source`);
  const pair = ["-in", chain.cert, "-inkey", chain.key, "-certfile", chain.authorities, "-name", alias];
  await openssl("pkcs12", "-export", ...pair, "-out", source, "-passout", `pass:${PASSWORD}`);
  const from = ["-srckeystore", source, "-srcstorepass", PASSWORD, "-srcalias", alias];
  const to = ["-destkeystore", file(name), "-deststorepass", PASSWORD];
  await keytool("-importkeystore", "-noprompt", ...from, ...to, ...args);
}

/** A certificate from an authority with its chain, a second key, and a trusted certificate: what a server's store holds after years. */
async function makeFull(): Promise<void> {
  await Bun.write(file("reply.pem"), (await Bun.file(chain.cert).text()) + (await Bun.file(chain.authorities).text()));
  await importPair("full", "edge");
  await makeKey("full", "büro", ...EC);
  await keytool("-importcert", "-noprompt", "-alias", "root", "-file", chain.root, ...access("full"));
}

/** The same store in every type that a provider has. */
const COPIES = {
  JKS: ["-deststoretype", "JKS"],
  JCEKS: ["-deststoretype", "JCEKS"],
  BKS: ["-deststoretype", "BKS", ...BOUNCY_CASTLE],
  "BKS-V1": ["-deststoretype", "BKS-V1", ...BOUNCY_CASTLE],
  "PKCS12 of BouncyCastle": ["-deststoretype", "PKCS12", "-destprovidername", "BC", ...BOUNCY_CASTLE],
} as const;
const copies = Object.keys(COPIES) as (keyof typeof COPIES)[];

function copy(name: keyof typeof COPIES): Promise<string> {
  const from = ["-srckeystore", file("full"), "-srcstorepass", PASSWORD];
  const to = ["-destkeystore", file(name), "-deststorepass", PASSWORD];
  return keytool("-importkeystore", "-noprompt", ...from, ...to, ...COPIES[name]);
}

/** Stores whose key has a password of its own. */
const OWN = { JKS: [], JCEKS: [], BKS: BOUNCY_CASTLE } as const;
const owns = Object.keys(OWN) as (keyof typeof OWN)[];

await someAtATime([
  makeFull,
  ...owns.map(
    (type) => () =>
      importPair(`own-${type}`, "edge", "-destkeypass", KEY_PASSWORD, "-deststoretype", type, ...OWN[type]),
  ),
]);
await someAtATime(copies.map((name) => () => copy(name)));
/** The certificates of the store, as openssl sees them. */
const seen = derOf(await openssl("pkcs12", "-in", file("full"), "-passin", `pass:${PASSWORD}`, "-nokeys"));
const ofOffice = seen.filter((der) => new X509Certificate(der).subject === "CN=buero.example");

describe.each(["full", ...copies])("a store with two keys and a trusted certificate: %s", (name) => {
  const store = opened(file(name), PASSWORD);

  test("has the entries that were made, and says what type it is", () => {
    expect(store.entries.map(({ alias, kind }) => `${alias} ${kind}`).sort()).toEqual([
      "büro key",
      "edge key",
      "root certificate",
    ]);
    const type = name.startsWith("BKS") ? "BKS" : name.startsWith("J") ? name : "PKCS12";
    expect(store).toMatchObject({ type, verified: true });
  });

  test("gives each key its own certificate, and all of the chain", () => {
    expect(entryOf(store, "edge").certificates[0]).toEqual(derOf(chain.cert)[0]!);
    expect(entryOf(store, "büro").certificates).toEqual(ofOffice);
    expect(entryOf(store, "root").certificates).toEqual(derOf(chain.root));
    const all = [...entryOf(store, "edge").certificates, ...store.loose, ...entryOf(store, "root").certificates];
    const contained = derOf(file("reply.pem")).every((der) => all.some((each) => each.equals(der)));
    expect(contained).toBe(true);
    // All but PKCS#12 say which certificates are a key's chain.
    if (store.type !== "PKCS12") expect(entryOf(store, "edge").certificates).toEqual(derOf(file("reply.pem")));
  });

  test("serves with the whole chain, also where its root is an entry of its own", () => {
    const request = { type: undefined, storePassword: PASSWORD, keyPassword: null, alias: "edge" };
    const loaded = loadFromStore(readFileSync(file(name)), request);
    if (loaded.kind === "error") throw new Error(loaded.message);
    expect(derOf(loaded.pair.cert)).toEqual(derOf(file("reply.pem")));
  });

  // One of the aliases has a letter that is not ASCII.
  test("opens each key with the store's password, and with no other", () => {
    // BouncyCastle's own PKCS#12 has so many iterations that each try takes a tenth of a second.
    const others = name === "PKCS12 of BouncyCastle" ? [`${PASSWORD}x`] : ["", "wrong-secret", `${PASSWORD}x`];
    for (const alias of ["edge", "büro"]) {
      expect(belongs(entryOf(store, alias), PASSWORD)).toBe(true);
      for (const wrong of others)
        expect(entryOf(store, alias).key!(wrong)).toMatchObject({ kind: "error", reason: "password" });
    }
    expect(keyOf(entryOf(store, "edge"), PASSWORD).asymmetricKeyType).toBe("rsa");
    expect(keyOf(entryOf(store, "büro"), PASSWORD).asymmetricKeyType).toBe("ec");
  });

  test("is refused with a wrong password", () => {
    for (const wrong of ["wrong-secret", `${PASSWORD}x`, PASSWORD.toUpperCase()])
      expect(refused(file(name), wrong)).toBe("password");
  });

  test("without a password it can be looked into, unchecked, unless it is PKCS#12", () => {
    if (store.type === "PKCS12") expect(refused(file(name), null)).toBe("password");
    else {
      const unchecked = opened(file(name), null);
      expect(unchecked.verified).toBe(false);
      expect(unchecked.entries.map(({ certificates }) => certificates)).toEqual(
        store.entries.map(({ certificates }) => certificates),
      );
      expect(belongs(entryOf(unchecked, "edge"), PASSWORD)).toBe(true);
    }
  });
});

test.each(owns)("a key of %s that has a password of its own opens with that only", (type) => {
  const entry = entryOf(opened(file(`own-${type}`), PASSWORD), "edge");
  expect(entry.certificates).toEqual(derOf(file("reply.pem")));
  expect(belongs(entry, KEY_PASSWORD)).toBe(true);
  for (const wrong of [PASSWORD, "", "Key-secret"])
    expect(entry.key!(wrong)).toMatchObject({ kind: "error", reason: "password" });
  expect(refused(file(`own-${type}`), KEY_PASSWORD)).toBe("password");
});

test("a JKS with nothing but a trusted certificate has no key", () => {
  const entry = Buffer.concat([u32(2), text("root"), DATE, text("X.509"), counted(derOf(chain.root)[0]!)]);
  writeFileSync(file("trusted-JKS"), java(JKS, u32(1), entry));
  expect(opened(file("trusted-JKS"), PASSWORD).entries).toMatchObject([
    { alias: "root", kind: "certificate", key: null },
  ]);
});

test("BouncyCastle's PKCS#12 has indefinite lengths, which this file means to prove", async () => {
  const bytes = Buffer.from(await Bun.file(file("PKCS12 of BouncyCastle")).arrayBuffer());
  expect(bytes.subarray(0, 2).toString("hex")).toBe("3080");
});

test("a PKCS#12 of keytool is what openssl takes it for", () => {
  const store = opened(file("full"), PASSWORD);
  const own = store.entries.flatMap(({ certificates }) => certificates);
  expect([...own, ...store.loose].map((der) => der.toString("base64")).sort()).toEqual(
    seen.map((der) => der.toString("base64")).sort(),
  );
});
