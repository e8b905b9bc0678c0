// A certificate out of a key store: which entry is taken, and what an operator is told when none can be.

import { describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadPair } from "../../../src/certs/pem.ts";
import { loadFromStore, type StoreRequest } from "../../../src/certs/store-pair.ts";
import { BOUNCY_CASTLE, chainOfThree, keytool, openssl, someAtATime } from "../../support/key-stores.ts";
import { derOf } from "../keystores/opened.ts";

const PASSWORD = "store-secret";
const KEY_PASSWORD = "key-secret";
const chain = await chainOfThree("ec");
const file = (name: string): string => join(chain.directory, name);
const OWN_KEY_PASSWORD = { JKS: [], JCEKS: [], BKS: BOUNCY_CASTLE } as const;
const types = Object.keys(OWN_KEY_PASSWORD) as (keyof typeof OWN_KEY_PASSWORD)[];

const store = (name: string, ...args: string[]) => ["-keystore", file(name), "-storepass", PASSWORD, ...args];
const makeKey = (alias: string, ...args: string[]) =>
  keytool(
    "-genkeypair",
    "-alias",
    alias,
    "-dname",
    `CN=${alias}.example`,
    "-ext",
    `SAN=dns:${alias}.example`,
    "-keyalg",
    "EC",
    ...args,
  );
const exported = (name: string, ...args: string[]) =>
  openssl("pkcs12", "-export", "-inkey", chain.key, "-in", chain.cert, "-out", file(name), ...args);

await someAtATime([
  async () => {
    // Today's keytool writes PKCS#12, whatever the file is called.
    await makeKey("edge", ...store("today.jks"), "-keypass", KEY_PASSWORD);
    await makeKey("spare", ...store("today.jks"));
    await keytool("-importcert", "-noprompt", "-alias", "root", "-file", chain.root, ...store("today.jks"));
  },
  ...types.map((type) => () => {
    const own = ["-keypass", KEY_PASSWORD, "-storetype", type, ...OWN_KEY_PASSWORD[type]];
    return makeKey("edge", ...store(`own.${type}`), ...own);
  }),
  () => keytool("-importcert", "-noprompt", "-alias", "root", "-file", chain.root, ...store("trusted.jks")),
  () => exported("chain.p12", "-certfile", chain.authorities, "-name", "Edge One", "-passout", `pass:${PASSWORD}`),
  () => exported("empty.p12", "-passout", "pass:"),
  () => exported("no-mac.p12", "-nomac", "-keypbe", "NONE", "-certpbe", "NONE", "-passout", "pass:"),
  () =>
    openssl(
      "pkcs12",
      "-export",
      "-nocerts",
      "-inkey",
      chain.key,
      "-out",
      file("bare.p12"),
      "-passout",
      `pass:${PASSWORD}`,
    ),
]);

function load(name: string, request: Partial<StoreRequest> = {}) {
  const bytes = readFileSync(file(name));
  const loaded = loadFromStore(bytes, {
    type: undefined,
    storePassword: PASSWORD,
    keyPassword: null,
    alias: undefined,
    ...request,
  });
  const told = JSON.stringify(loaded.kind === "ok" ? loaded.facts : loaded);
  for (const secret of [request.storePassword, request.keyPassword, PASSWORD, KEY_PASSWORD])
    if (secret) expect(told).not.toContain(secret);
  return loaded;
}

function sound(name: string, request: Partial<StoreRequest> = {}) {
  const loaded = load(name, request);
  if (loaded.kind === "error") throw new Error(`${name}: ${loaded.message}`);
  const leaf = new X509Certificate(loaded.pair.cert);
  expect(leaf.checkPrivateKey(createPrivateKey(loaded.pair.key))).toBe(true);
  return loaded;
}

const refusal = (name: string, request: Partial<StoreRequest> = {}) => {
  const loaded = load(name, request);
  return loaded.kind === "error" ? { part: loaded.part, message: loaded.message } : loaded.kind;
};

describe("the entry", () => {
  test("is the only one with a key; trusted certificates do not count", () => {
    const { pair, facts } = sound("chain.p12");
    expect(pair.names).toEqual(["edge.example"]);
    expect(facts.warnings).toEqual([]);
  });

  test("is the one that keyAlias names, in any case", () => {
    expect(sound("today.jks", { alias: "spare" }).pair.names).toEqual(["spare.example"]);
    expect(sound("today.jks", { alias: "EDGE" }).pair.names).toEqual(["edge.example"]);
    expect(sound("chain.p12", { alias: "edge one" }).pair.names).toEqual(["edge.example"]);
  });

  test("has to be named where there are several, and the message names them", () => {
    expect(refusal("today.jks")).toEqual({
      part: "certificate",
      message: 'it holds 2 private keys: name one with keyAlias ("edge", "spare")',
    });
  });

  test("is not found under an alias that has no key", () => {
    const message = (alias: string) => `it holds no private key under the alias "${alias}", but under "edge", "spare"`;
    for (const alias of ["elsewhere", "root"])
      expect(refusal("today.jks", { alias })).toEqual({ part: "certificate", message: message(alias) });
    expect(refusal("trusted.jks")).toEqual({
      part: "certificate",
      message: "it holds no private key, only certificates",
    });
  });

  test("an alias never brings control characters into a message", () => {
    expect(refusal("today.jks", { alias: "\x1b[2J\u009b\u202e\n" })).toMatchObject({
      message: expect.stringContaining('"\\u001b[2J??\\n"'),
    });
  });

  test("needs a certificate", () => {
    expect(refusal("bare.p12")).toEqual({
      part: "certificate",
      message: "it holds no certificate for its private key",
    });
  });
});

test("the chain is sent from the leaf up, wherever in the store its certificates are", () => {
  const { pair } = sound("chain.p12");
  expect(derOf(pair.cert)).toEqual([...derOf(chain.cert), ...derOf(chain.authorities)]);
});

test("the same certificate and key are one pair, from whatever store they come", () => {
  expect(sound("empty.p12", { storePassword: "" }).pair.hash).toBe(sound("no-mac.p12").pair.hash);
  expect(sound("empty.p12", { storePassword: "" }).pair.hash).not.toBe(sound("chain.p12").pair.hash);
});

describe("passwords", () => {
  test("a wrong one of the store is said to be wrong", () => {
    for (const name of ["today.jks", "chain.p12", "empty.p12", ...types.map((type) => `own.${type}`)])
      expect(refusal(name, { storePassword: "not-the-one", keyPassword: KEY_PASSWORD, alias: "edge" })).toEqual({
        part: "password",
        message: expect.stringMatching(/^the (store's )?password is wrong, or the file is damaged$/),
      });
  });

  test("where none is given but one is needed, it is asked for", () => {
    for (const name of ["today.jks", "chain.p12", ...types.map((type) => `own.${type}`)])
      expect(refusal(name, { storePassword: null, alias: name === "chain.p12" ? undefined : "edge" })).toEqual({
        part: "password",
        message: "the store is encrypted: give keyStorePassword or keyStorePasswordFile",
      });
  });

  test("none is needed where the store was made with an empty one, or without any", () => {
    for (const storePassword of [null, ""]) {
      sound("empty.p12", { storePassword });
      sound("no-mac.p12", { storePassword });
    }
  });

  test.each(types)("%s: the key's own password has to be given when it differs", (type) => {
    expect(refusal(`own.${type}`)).toEqual({
      part: "password",
      message: 'the private key "edge" does not open: it has a password of its own, so give keyPassword',
    });
    expect(refusal(`own.${type}`, { keyPassword: "not-the-one" })).toEqual({
      part: "password",
      message: 'the private key "edge" does not open: keyPassword is wrong',
    });
    expect(sound(`own.${type}`, { keyPassword: KEY_PASSWORD }).pair.names).toEqual(["edge.example"]);
  });

  test.each(types)("%s: the key's own password is enough, for the store's only guards a checksum", (type) => {
    expect(sound(`own.${type}`, { storePassword: null, keyPassword: KEY_PASSWORD }).pair.names).toEqual([
      "edge.example",
    ]);
  });

  test("PKCS#12: keytool ignores a key password that differs, so that one does no harm", () => {
    expect(sound("today.jks", { alias: "edge", keyPassword: KEY_PASSWORD }).pair.names).toEqual(["edge.example"]);
  });
});

describe("keyStoreType", () => {
  test("that differs from the file is only worth a warning", () => {
    for (const type of ["JKS", "BKS"] as const)
      expect(sound("today.jks", { alias: "edge", type }).facts.warnings).toEqual([
        { code: "key-store-type", message: `keyStoreType is ${type}, but the file is PKCS12 and is read as that` },
      ]);
    expect(sound("own.BKS", { keyPassword: KEY_PASSWORD, type: "JKS" }).facts.warnings).toHaveLength(1);
  });

  test("that fits, or is left out, is worth none", () => {
    for (const type of ["PKCS12", undefined] as const)
      expect(sound("today.jks", { alias: "edge", type }).facts.warnings).toEqual([]);
    for (const type of types)
      expect(sound(`own.${type}`, { keyPassword: KEY_PASSWORD, type }).facts.warnings).toEqual([]);
  });
});

test("of three hundred wrong passwords of an encrypted PEM key, none is taken for damage", async () => {
  // A padding that is right by chance comes once in 256 times.
  const sealed = await openssl("pkcs8", "-topk8", "-iter", "1", "-in", chain.key, "-passout", `pass:${PASSWORD}`);
  const cert = readFileSync(chain.cert, "utf8");
  expect(loadPair(cert, sealed, PASSWORD).kind).toBe("ok");
  for (let i = 0; i < 300; i++)
    expect(loadPair(cert, sealed, `wrong ${i}`)).toMatchObject({ kind: "error", part: "password" });
});
