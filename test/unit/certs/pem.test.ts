// A certificate and its key load in every form that openssl writes them, a mistake is said in words, and bytes that are damaged never
// throw and never make a pair that does not fit.

import { describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Loaded, loadPair } from "../../../src/certs/pem.ts";
import { readPem } from "../../../src/certs/pem-blocks.ts";
import { cpuMs } from "../../support/cpu.ts";
import { random } from "../../support/random.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
const read = (name: string) => readFileSync(path(name), "utf8");

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await exec(["openssl", ...args], { cwd: directory });
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

const KINDS: Record<string, string[]> = {
  ec: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  p384: ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  rsa: ["rsa:2048"],
  ed25519: ["ed25519"],
  rsa1024: ["rsa:1024"],
  secp256k1: ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
};
const EXTENSIONS = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

/** NAME.crt and NAME.key, issued by another one, or self-signed. */
async function make(name: string, kind: string, issuer?: string): Promise<void> {
  const san = `subjectAltName=DNS:${name}.test,DNS:*.${name}.test,IP:10.0.0.1,IP:2001:db8::1`;
  const newKey = ["req", "-newkey", ...KINDS[kind]!, "-nodes", "-keyout", `${name}.key`, "-subj", `/CN=${name}.test`];
  if (issuer === undefined) {
    const ca = name.endsWith("ca") ? [] : ["-addext", san];
    return openssl(...newKey, "-x509", "-days", "20", ...ca, "-out", `${name}.crt`);
  }
  await openssl(...newKey, "-out", `${name}.csr`);
  writeFileSync(path(`${name}.ext`), name.endsWith("ca") ? EXTENSIONS : san);
  const from = ["-CA", `${issuer}.crt`, "-CAkey", `${issuer}.key`, "-CAcreateserial", "-extfile", `${name}.ext`];
  await openssl("x509", "-req", "-in", `${name}.csr`, ...from, "-days", "20", "-out", `${name}.crt`);
}

for (const kind of Object.keys(KINDS)) await make(kind, kind);
await make("root-ca", "ec");
await make("middle-ca", "ec", "root-ca");
await make("low-ca", "rsa", "middle-ca");
await make("leaf", "ec", "low-ca");

/** Loads, and proves with the runtime's own means that the pair fits. */
function ok(cert: string, key: string, password: string | null = null): Extract<Loaded, { kind: "ok" }> {
  const loaded = loadPair(cert, key, password);
  if (loaded.kind === "error") throw new Error(loaded.message);
  expect(new X509Certificate(loaded.pair.cert).checkPrivateKey(createPrivateKey(loaded.pair.key))).toBe(true);
  return loaded;
}

function refused(cert: string, key: string, password: string | null = null): string {
  const loaded = loadPair(cert, key, password);
  if (loaded.kind === "ok") throw new Error("it was loaded");
  return `${loaded.part}: ${loaded.message}`;
}

const subjects = (pem: string) =>
  pem.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g)!.map((each) => new X509Certificate(each).subject);

describe("where certificate and key stand", () => {
  test("in two files: names and facts are those of the certificate", () => {
    const { pair, facts } = ok(read("ec.crt"), read("ec.key"));
    expect([...pair.names].sort()).toEqual(["*.ec.test", "10.0.0.1", "2001:db8::1", "ec.test"]);
    expect(pair.keyType).toBe("p256");
    expect(facts.commonName).toBe("ec.test");
    expect(facts.warnings).toEqual([]);
    expect(Math.round((facts.notAfter - Date.now()) / 86_400_000)).toBe(20);
  });

  test("in one file, the certificate first or the key first", () => {
    const [cert, key] = [read("ec.crt"), read("ec.key")];
    ok(cert + key, cert + key);
    ok(key + cert, key + cert);
  });

  test("with CRLF, with junk between blocks, without a line feed at the end", () => {
    const [cert, key] = [read("leaf.crt"), read("leaf.key")];
    const junk = "Bag Attributes\n    localKeyID: 01\nsubject=CN = x - y\n\n";
    ok(cert.replaceAll("\n", "\r\n"), key.replaceAll("\n", "\r\n"));
    const all = junk + key.trim() + junk + cert.trim() + junk + read("low-ca.crt") + junk;
    expect(subjects(ok(all, all).pair.cert)).toEqual(["CN=leaf.test", "CN=low-ca.test"]);
  });

  test("the chain in any order is sent in the one that TLS wants", () => {
    const parts = ["leaf", "low-ca", "middle-ca", "root-ca"].map((name) => read(`${name}.crt`));
    const wanted = ["CN=leaf.test", "CN=low-ca.test", "CN=middle-ca.test", "CN=root-ca.test"];
    for (const order of permutations(parts)) {
      const { pair, facts } = ok(order.join(""), read("leaf.key"));
      expect(subjects(pair.cert)).toEqual(wanted);
      expect(facts.warnings).toEqual([]);
    }
  });

  test("of two authorities with one name the one that signed is sent", async () => {
    await make("twin-ca", "ec");
    await openssl(
      "req",
      "-x509",
      "-newkey",
      ...KINDS.ec!,
      "-nodes",
      "-keyout",
      "other.key",
      "-out",
      "other.crt",
      "-subj",
      "/CN=twin-ca.test",
    );
    await make("child", "ec", "twin-ca");
    for (const order of [
      ["twin-ca.crt", "other.crt"],
      ["other.crt", "twin-ca.crt"],
    ]) {
      const { pair } = ok(read("child.crt") + order.map(read).join(""), read("child.key"));
      expect(pair.cert).toBe(read("child.crt") + read("twin-ca.crt"));
    }
  });

  test("a certificate that is no part of the chain is not sent, and is a warning", () => {
    const { pair, facts } = ok(read("ec.crt") + read("rsa.crt"), read("ec.key"));
    expect(subjects(pair.cert)).toEqual(["CN=ec.test"]);
    expect(facts.warnings).toEqual([
      { code: "certificate-chain", message: "a certificate in it is no part of its chain and not sent: CN=rsa.test" },
    ]);
  });
});

describe("kinds of keys", () => {
  test("P-256, P-384, RSA and Ed25519 in PKCS#8", () => {
    expect(ok(read("ec.crt"), read("ec.key")).pair.keyType).toBe("p256");
    expect(ok(read("p384.crt"), read("p384.key")).pair.keyType).toBe("p384");
    expect(ok(read("rsa.crt"), read("rsa.key")).pair.keyType).toBe("rsa");
    expect(ok(read("ed25519.crt"), read("ed25519.key")).pair.keyType).toBe("ed25519");
  });

  test("RSA in PKCS#1, EC in SEC1, also with EC PARAMETERS before it", async () => {
    await openssl("rsa", "-in", "rsa.key", "-traditional", "-out", "rsa.pkcs1");
    await openssl("ec", "-in", "ec.key", "-out", "ec.sec1");
    await openssl("ecparam", "-name", "prime256v1", "-out", "ec.params");
    expect(read("rsa.pkcs1")).toStartWith("-----BEGIN RSA PRIVATE KEY-----");
    expect(read("ec.sec1")).toStartWith("-----BEGIN EC PRIVATE KEY-----");
    ok(read("rsa.crt"), read("rsa.pkcs1"));
    ok(read("ec.crt"), read("ec.sec1"));
    ok(read("ec.crt"), read("ec.params") + read("ec.sec1"));
  });

  test("RSA with 1024 bits loads, with a warning", () => {
    expect(ok(read("rsa1024.crt"), read("rsa1024.key")).facts.warnings).toEqual([
      {
        code: "certificate-weak",
        message: "its RSA key has 1024 bits, which is too short to be safe: many clients refuse it",
      },
    ]);
  });

  test("a key that no TLS server uses is refused by its kind, in PKCS#8 and in SEC1", async () => {
    await openssl("ec", "-in", "secp256k1.key", "-out", "secp256k1.sec1");
    const wanted =
      "key: the private key is of a kind that Sluice cannot serve with: take EC P-256, P-384, Ed25519 or RSA";
    expect(refused(read("secp256k1.crt"), read("secp256k1.key"))).toBe(wanted);
    expect(refused(read("secp256k1.crt"), read("secp256k1.sec1"))).toBe(wanted);
  });
});

describe("encrypted keys", () => {
  const seal = async (name: string, ...args: string[]): Promise<string> => {
    await openssl(...args, "-passout", "pass:sésame", "-out", name);
    return read(name);
  };
  const pkcs8 = (kind: string, ...args: string[]) => ["pkcs8", "-topk8", "-in", `${kind}.key`, ...args];
  const sealed: [string, string, string[]][] = [
    ["PKCS#8 with AES-256", "ec", pkcs8("ec", "-v2", "aes-256-cbc")],
    ["PKCS#8 with AES-128 and SHA-1", "rsa", pkcs8("rsa", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1")],
    ["PKCS#8 with triple DES", "ed25519", pkcs8("ed25519", "-v2", "des3")],
    ["PKCS#8 with PKCS#12's triple DES", "p384", pkcs8("p384", "-v1", "PBE-SHA1-3DES")],
    ["RSA as of old (Proc-Type)", "rsa", ["rsa", "-in", "rsa.key", "-traditional", "-des3"]],
    ["EC as of old (Proc-Type)", "ec", ["ec", "-in", "ec.key", "-aes128"]],
  ];
  for (const [what, kind, args] of sealed)
    test(`${what}: opened by its password, and by nothing else`, async () => {
      const key = await seal(`${kind}-${sealed.findIndex(([each]) => each === what)}.sealed`, ...args);
      expect(key).toContain("ENCRYPTED");
      const cert = read(`${kind}.crt`);
      ok(cert, key, "sésame");
      ok(cert, key.replaceAll("\n", "\r\n"), "sésame");
      ok(key + cert, key + cert, "sésame");
      expect(refused(cert, key)).toBe("password: the private key is encrypted: give keyPassword or keyPasswordFile");
      for (const wrong of ["", "Sésame", "sésame ", "x".repeat(1024)]) {
        expect(refused(cert, key, wrong)).toMatch(/^password: .*password is wrong/);
        if (wrong !== "") expect(refused(cert, key, wrong)).not.toContain(wrong);
      }
    });

  test("a password that is not needed does no harm", () => {
    ok(read("ec.crt"), read("ec.key"), "whatever");
  });

  test("a key that asks for absurdly many iterations is refused before they are spent", async () => {
    await seal("iter.sealed", ...pkcs8("ec", "-iter", "100000"));
    ok(read("ec.crt"), read("iter.sealed"), "sésame");
    // The number is changed in the key itself, as openssl would spend the iterations.
    const der = Buffer.from(read("iter.sealed").replaceAll(/-----.*-----/g, ""), "base64");
    der.writeUIntBE(2_000_000, der.indexOf(Buffer.from("02030186a0", "hex")) + 2, 3);
    const absurd = `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${der.toString("base64")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
    const cost = cpuMs(() =>
      expect(refused(read("ec.crt"), absurd, "sésame")).toMatch(/asks for more than \d+ iterations/),
    );
    expect(cost).toBeLessThan(500);
  });
});

describe("mistakes", () => {
  test("each is said in words, with the part that it is in", () => {
    const [cert, key] = [read("ec.crt"), read("ec.key")];
    expect(refused("", key)).toBe("certificate: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
    expect(refused(cert, cert)).toBe("key: holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
    expect(refused(cert, read("p384.key"))).toBe(
      "key: the private key does not belong to the certificate of CN=ec.test",
    );
    expect(refused(cert.replace("MII", "AAA"), key)).toBe(
      "certificate: line 1: the certificate that begins there is damaged",
    );
  });

  test("a text that is cut off is read in linear time, whatever it looks like", () => {
    const cost = cpuMs(() => {
      for (const line of [
        "A:b\n",
        "-",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,E\n",
      ])
        expect(readPem(`${line.repeat(50_000)}\n`).blocks).toEqual([]);
      expect(readPem(`-----BEGIN RSA PRIVATE KEY-----\n${"A:b\n".repeat(50_000)}`).blocks).toEqual([]);
    });
    expect(cost).toBeLessThan(2000);
  });

  test("a block that is cut off does not take the next one with it", () => {
    const cert = read("ec.crt");
    const text = `${cert.slice(0, 100)}\n${cert}-${cert}`;
    expect(readPem(text).blocks.map(({ pem }) => pem)).toEqual([cert.trim(), cert.trim()]);
    expect(readPem(text).flaw).not.toBeNull();
    for (const part of [cert.slice(0, 8), cert.slice(0, 40), cert.slice(1), `${cert}${cert.slice(0, 20)}`])
      expect(readPem(part).flaw).not.toBeNull();
    expect(readPem(`--------- mine ---------\n${cert}more - or less\n`).flaw).toBeNull();
  });

  test("no prefix of a pair throws, and only what is whole is loaded", () => {
    for (const kind of ["ec", "rsa"]) {
      const text = read(`${kind}.key`) + read(`${kind}.crt`);
      const whole = text.trimEnd().length;
      for (let length = 0; length <= text.length; length++) {
        const part = text.slice(0, length);
        expect(loadPair(part, part).kind).toBe(length < whole ? "error" : "ok");
      }
    }
  });

  test("flipped bytes never throw, and what is loaded still fits", () => {
    const texts = ["ec", "rsa", "ed25519"].map((kind) => read(`${kind}.key`) + read(`${kind}.crt`));
    const { below } = random(20_260_101);
    let errors = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(texts[round % texts.length]!, "latin1");
      for (let flips = 1 + below(3); flips > 0; flips--) bytes[below(bytes.length)]! ^= 1 << below(8);
      const text = bytes.toString("latin1");
      const loaded = loadPair(text, text);
      if (loaded.kind === "ok") ok(text, text);
      else errors++;
    }
    expect(errors).toBeGreaterThan(1000);
  });
});

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length <= 1) return [[...list]];
  return list.flatMap((each, index) => permutations(list.toSpliced(index, 1)).map((rest) => [each, ...rest]));
}
