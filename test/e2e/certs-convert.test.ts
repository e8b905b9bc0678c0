// `sluice certs convert` writes certificates and keys in another format: what was in the one is in the other, or it says what is not.
// Nothing is overwritten unasked, and keys are nobody else's to read. That Java and BouncyCastle read it is in
// test/unit/keystores/write.test.ts, and for each way from one format to another in test/long/certs-convert.long.test.ts.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { convertCertificates } from "../../src/cli/certs-convert.ts";
import { sluiceCli } from "../support/cli.ts";
import { chainOfThree, openssl } from "../support/key-stores.ts";
import { SLUICE } from "../support/sluice.ts";
import { exec } from "../support/tools.ts";
import { opened } from "../unit/keystores/opened.ts";

const chain = await chainOfThree("ec");
const { directory } = chain;
const path = (name: string): string => join(directory, name);
const text = (name: string): string => readFileSync(path(name), "utf8");
const PASSWORD = "changeit 42";
const ENV = { IN: PASSWORD, OUT: PASSWORD };
const IN = "--passwordEnv=IN";
const OUT = "--outPasswordEnv=OUT";

const convert = (...args: string[]) => sluiceCli(["certs", "convert", ...args], { cwd: directory, env: ENV });

/** A conversion that must do. */
async function converted(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await convert(...args);
  if (code !== 0) throw new Error(stderr);
  return stderr + stdout;
}

/** Why it is not done. Whatever was to be written is not there. */
async function refused(...args: string[]): Promise<string> {
  const before = readdirSync(directory).sort();
  const { code, stdout, stderr } = await convert(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(readdirSync(directory).sort()).toEqual(before);
  expect(stderr).not.toContain(PASSWORD);
  return stderr.trim();
}

/** Aliases of a store and what is behind each, in its order. */
const inStore = (name: string): string[] =>
  opened(path(name), PASSWORD).entries.map(
    ({ alias, kind, certificates }) => `${alias}: ${kind} ${certificates.length}`,
  );

/** Bodies of PEM, without what else is in a text. */
const blocks = (pem: string): string[] => pem.match(/-----BEGIN [\s\S]*?-----END [A-Z ]+-----/g) ?? [];
const pkcs8 = await openssl("pkey", "-in", chain.key);
writeFileSync(path("pair.pem"), pkcs8 + text("edge.crt") + text("authorities.pem"));

test("a key with its chain goes through every format and comes out as it went in", async () => {
  expect(await converted("pair.pem", "1.p12", OUT, "--outAlias=Gerät 1 🔑")).toBe(
    "1.p12: PKCS12, 1 private key, 3 certificates\n",
  );
  expect(await converted("1.p12", "2.jks", IN, OUT)).toBe("2.jks: JKS, 1 private key, 3 certificates\n");
  await converted("2.jks", "3.bks", IN, OUT);
  // JCEKS, whose keys cost 400 000 rounds, is in test/long.
  await converted("3.bks", "5.bks", IN, OUT, "--to=bks-v1");
  await converted("5.bks", "6.pfx", IN, OUT, "--legacy");
  await converted("6.pfx", "7.p12", IN, OUT, "--legacy=3des");
  await converted("7.p12", "8.pem", IN);
  expect(text("8.pem")).toBe(`${blocks(text("pair.pem")).join("\n")}\n`);
  const key = await openssl("pkcs12", "-in", path("7.p12"), "-nodes", "-nocerts", "-passin", `pass:${PASSWORD}`);
  expect(blocks(key)).toEqual(blocks(pkcs8));
  for (const name of ["2.jks", "3.bks", "5.bks"]) expect(inStore(name)).toEqual(["gerät 1 🔑: key 3"]);
  expect(readFileSync(path("5.bks")).readUInt32BE(0)).toBe(1);
});

test("a key in a file of its own is joined with its certificate, and taken apart again", async () => {
  const joined = ["edge.crt", "apart.p12", "--keyFile=edge.key", "--caFile=authorities.pem", OUT];
  // The authorities are the chain, and entries of their own: what Java calls trusted.
  expect(await converted(...joined)).toBe("apart.p12: PKCS12, 1 private key, 3 certificates\n");
  expect(inStore("apart.p12")).toEqual(["edge.example: key 1", "Issuer: certificate 1", "Root: certificate 1"]);
  await converted("apart.p12", "apart.crt", IN, "--alias=EDGE.example", "--keyOut=apart.key");
  expect(blocks(text("apart.crt"))).toEqual(blocks(text("edge.crt") + text("authorities.pem")));
  expect(blocks(text("apart.key"))).toEqual(blocks(pkcs8));
  const der = ["apart.p12", "apart.der", IN, "--alias=edge.example", "--keyOut=apart-key.der"];
  expect(await converted(...der)).toBe(
    "apart.der: left out: 2 of its chain, since DER holds one certificate\napart.der: DER, 1 certificate; apart-key.der: DER, 1 private key\n",
  );
  expect(readFileSync(path("apart.der"))).toEqual(new X509Certificate(text("edge.crt")).raw);
  expect(blocks(await openssl("pkey", "-inform", "DER", "-in", path("apart-key.der")))).toEqual(blocks(pkcs8));
  // And back from DER.
  await converted("apart.der", "from-der.bks", "--keyFile=apart-key.der", OUT);
  expect(inStore("from-der.bks")).toEqual(["edge.example: key 1"]);
});

test("keys in PEM and DER are encrypted where a password is given, and opened again", async () => {
  await converted("pair.pem", "sealed.pem", OUT);
  const [key] = blocks(text("sealed.pem"));
  expect(key).toStartWith("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  expect(blocks(await openssl("pkey", "-in", path("sealed.pem"), "-passin", `pass:${PASSWORD}`))).toEqual(
    blocks(pkcs8),
  );
  await converted("edge.key", "sealed.der", OUT);
  await converted("sealed.der", "opened.pem", IN);
  expect(text("opened.pem")).toBe(pkcs8);
  expect(await refused("sealed.pem", "locked.p12", OUT)).toBe(
    "sealed.pem: it is encrypted and needs a password: give --passwordFile FILE or --passwordEnv NAME",
  );
  expect(await refused("sealed.der", "locked.pem", "--passwordEnv=PATH")).toContain("password is wrong");
});

test("certificates without a key are a trust store, and say so", async () => {
  expect(await converted("authorities.pem", "trust.jks", OUT)).toBe(
    "trust.jks: there is no private key, so it is a trust store: certificates alone\ntrust.jks: JKS, 2 certificates\n",
  );
  expect(inStore("trust.jks")).toEqual(["issuer: certificate 1", "root: certificate 1"]);
  await converted("trust.jks", "trust.pem", IN);
  expect(blocks(text("trust.pem")).sort()).toEqual(blocks(text("authorities.pem")).sort());
  expect(statSync(path("trust.pem")).mode & 0o777).toBe(0o644);
});

test("two certificates of one name have two aliases", async () => {
  const again = path("again.crt");
  await openssl("req", "-x509", "-key", chain.key, "-subj", "/CN=edge.example", "-out", again);
  writeFileSync(path("twice.pem"), text("edge.crt") + text("again.crt"));
  await converted("twice.pem", "twice.bks", OUT);
  expect(inStore("twice.bks")).toEqual(["edge.example: certificate 1", "edge.example-2: certificate 1"]);
});

describe("what is written is safe", () => {
  test("a file with a key is readable for its owner alone, whatever the umask, and no other file is left", async () => {
    const before = process.umask(0);
    try {
      for (const name of ["mode.p12", "mode.jks", "mode.bks", "mode.pem"]) await converted("pair.pem", name, OUT);
      await converted("pair.pem", "mode.crt", "--keyOut=mode.key");
    } finally {
      process.umask(before);
    }
    for (const name of ["mode.p12", "mode.jks", "mode.bks", "mode.pem", "mode.key"])
      expect([name, statSync(path(name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(statSync(path("mode.crt")).mode & 0o777).toBe(0o644);
    expect(readdirSync(directory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("nothing is overwritten without --force, not even by way of a link that leads to nothing", async () => {
    writeFileSync(path("there.p12"), "mine");
    symlinkSync("nowhere.p12", path("link.p12"));
    expect(await refused("pair.pem", "there.p12", OUT)).toBe("there.p12 is there already: --force replaces it");
    expect(await refused("pair.pem", "link.p12", OUT)).toBe("link.p12 is there already: --force replaces it");
    expect(await refused("pair.pem", "new.crt", "--keyOut=there.p12")).toContain("there.p12 is there already");
    expect(text("there.p12")).toBe("mine");
    expect(existsSync(path("nowhere.p12"))).toBe(false);
    await converted("pair.pem", "there.p12", OUT, "--force");
    expect(statSync(path("there.p12")).mode & 0o777).toBe(0o600);
    await openssl("pkcs12", "-in", path("there.p12"), "-noout", "-passin", `pass:${PASSWORD}`);
  });

  test("a directory that cannot be written to is said", async () => {
    expect(await refused("pair.pem", "not/there.p12", OUT)).toContain("not/there.p12");
  });
});

describe("what cannot be done is said with its remedy", async () => {
  writeFileSync(path("page.crt"), "<!DOCTYPE html><html></html>");
  await openssl("req", "-in", path("edge.csr"), "-outform", "DER", "-out", path("csr.der"));
  const cases: Record<string, [args: string[], message: string]> = {
    "several entries into DER": [
      ["authorities.pem", "x.der"],
      "DER holds one certificate or one private key, and there are 2: the certificate of CN=Issuer, the certificate of CN=Root. --alias takes one out of a store",
    ],
    "key and certificate into one DER": [
      ["pair.pem", "x.der"],
      "DER holds a certificate or a private key, and there are both: give --keyOut for the key",
    ],
    "a key without its certificate into a store": [
      ["edge.key", "x.jks", OUT],
      "there is a private key without its certificate, and a key store holds keys only with one: give the certificate too (with the key as --keyFile)",
    ],
    "a key of another certificate": [
      ["root.crt", "x.p12", "--keyFile=edge.key", OUT],
      "edge.key: the private key belongs to none of the certificates",
    ],
    "a certificate for the key": [
      ["edge.crt", "x.p12", "--keyFile=root.crt", OUT],
      "root.crt: it holds no private key",
    ],
    "a name that says no format": [
      ["pair.pem", "x.store", OUT],
      "x.store: its name does not say the format: give --to pem, der, pkcs12, jks, jceks, bks or bks-v1",
    ],
    "an unknown format": [
      ["pair.pem", "x.p12", "--to=ubr", OUT],
      "'ubr' is no format: take pem, der, pkcs12, jks, jceks, bks or bks-v1",
    ],
    "another format than --from says": [
      ["pair.pem", "x.p12", "--from=jks", OUT],
      "pair.pem is PEM, and not JKS as --from says",
    ],
    "a store without a password": [
      ["pair.pem", "x.p12"],
      "x.p12: a key store needs a password: give --outPasswordFile FILE or --outPasswordEnv NAME",
    ],
    "an alias of PEM": [
      ["pair.pem", "x.pem", "--alias=edge"],
      "pair.pem: it has no aliases: --alias is for key stores (--outAlias names the entry)",
    ],
    "--legacy for another format": [["pair.pem", "x.jks", "--legacy", OUT], "--legacy is for PKCS#12, and not for JKS"],
    "a cipher that is none": [["pair.pem", "x.p12", "--legacy=rc4", OUT], "--legacy is rc2 or 3des, and not 'rc4'"],
    "--keyOut for a store": [
      ["pair.pem", "x.p12", "--keyOut=x.key", OUT],
      "--keyOut is for PEM and DER: PKCS12 holds the key and its certificate together",
    ],
    "the same file twice": [["pair.pem", "x.pem", "--keyOut=x.pem"], "--keyOut and x.pem are the same file"],
    "something else": [["edge.csr", "x.p12", OUT], "edge.csr: it holds neither a certificate nor a private key"],
    "a request in DER": [
      ["csr.der", "x.p12", OUT],
      "csr.der: it is a certificate signing request, and no certificate: give what the authority has issued for it",
    ],
    "a web page": [["page.crt", "x.p12", OUT], "page.crt: it is a web page, and no certificate"],
    "a file that is not there": [["no.pem", "x.p12", OUT], `${path("no.pem")}: no such file`],
    "two passwords": [
      ["pair.pem", "x.p12", OUT, "--outPasswordFile=edge.key"],
      "--outPasswordFile and --outPasswordEnv are two sources: give one of them",
    ],
  };
  test.each(Object.entries(cases))("%s", async (_, [args, message]) => {
    expect(await refused(...args)).toStartWith(message);
  });

  test("an alias that a store does not have, a wrong password, and a password that JCEKS cannot have", async () => {
    await converted("pair.pem", "some.jks", OUT);
    expect(await refused("some.jks", "x.p12", IN, OUT, "--alias=other")).toBe(
      'some.jks: it has no entry "other", but "edge.example"',
    );
    expect(await refused("some.jks", "x.p12", "--passwordEnv=PATH", OUT)).toBe(
      "some.jks: the store's password is wrong, or the file is damaged",
    );
    writeFileSync(path("umlaut"), "pässwort\n");
    expect(await refused("some.jks", "x.jceks", IN, "--outPasswordFile=umlaut")).toContain("password in ASCII");
    expect(await converted("some.jks", "umlaut.p12", IN, "--outPasswordFile=umlaut")).toStartWith(
      "umlaut.p12: Java opens PKCS#12 only with a password in ASCII\n",
    );
    await openssl("pkcs12", "-in", path("umlaut.p12"), "-noout", "-passin", "pass:pässwort");
  });

  test("what has no place in the other format is named", async () => {
    writeFileSync(path("more.pem"), text("pair.pem") + text("edge.csr"));
    expect(await converted("more.pem", "more.p12", OUT)).toStartWith("more.p12: left out: CERTIFICATE REQUEST\n");
  });
});

test("passwords are asked for where there is a terminal: that of the store, then the new one twice", async () => {
  await converted("pair.pem", "ask.jks", OUT);
  const asked: string[] = [];
  const said: string[] = [];
  const answers = [PASSWORD, "new secret", "mistyped", "new secret", "new secret"];
  const terminal = {
    log: (line: string) => said.push(line),
    error: (line: string) => said.push(line),
    ask: (question: string) => {
      asked.push(question.replaceAll(directory, "."));
      return Promise.resolve(answers.shift() ?? null);
    },
  };
  expect(await convertCertificates(path("ask.jks"), path("ask.p12"), {}, terminal)).toBe(0);
  expect(asked).toEqual([
    "Password (./ask.jks): ",
    "New password (./ask.p12): ",
    "The same again: ",
    "New password (./ask.p12): ",
    "The same again: ",
  ]);
  expect(said[0]).toBe("These two are not the same.");
  await openssl("pkcs12", "-in", path("ask.p12"), "-noout", "-passin", "pass:new secret");
});

test("the program itself converts, and its output opens in openssl", async () => {
  writeFileSync(path("secret"), `${PASSWORD}\n`);
  const args = ["certs", "convert", "edge.crt", "real.p12", "--keyFile", "edge.key", "--out-password-file", "secret"];
  const { code, stdout, stderr } = await exec([SLUICE, ...args], { cwd: directory });
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: "real.p12: PKCS12, 1 private key, 1 certificate\n",
    stderr: "",
  });
  await openssl("pkcs12", "-in", path("real.p12"), "-noout", "-passin", `pass:${PASSWORD}`);
});
