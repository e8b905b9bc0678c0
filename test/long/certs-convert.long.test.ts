// `sluice certs convert` from each format to each other one: what comes out is what went in, for our readers and for Java, BouncyCastle
// and openssl.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { BOUNCY_CASTLE, keytool, openssl, seenByJava } from "../support/key-stores.ts";
import { exec } from "../support/tools.ts";
import { ALGORITHMS, type Algorithm, fleet } from "../unit/keystores/written.ts";

const made = await fleet();
const { directory } = made;
const path = (name: string): string => join(directory, name);
const PASSWORD = "changeit 42";
const ENV = { IN: PASSWORD, OUT: PASSWORD };

async function convert(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sluiceCli(["certs", "convert", ...args, "--force"], {
    cwd: directory,
    env: ENV,
  });
  if (code !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  return stderr + stdout;
}

/** Extension, options, and who else reads it. */
const FORMATS = {
  PEM: ["pem", []],
  "PKCS#12": ["p12", []],
  "PKCS#12, RC2": ["pfx", ["--legacy"]],
  "PKCS#12, 3DES": ["pkcs12", ["--legacy=3des"]],
  JKS: ["jks", []],
  JCEKS: ["jceks", []],
  BKS: ["bks", []],
  "BKS version 1": ["v1.bks", ["--to=bks-v1"]],
} as const;
type Format = keyof typeof FORMATS;
const NAMES = Object.keys(FORMATS) as Format[];

const blocks = (pem: string): string[] => pem.match(/-----BEGIN [\s\S]*?-----END [A-Z ]+-----/g) ?? [];

async function whole(algorithm: Algorithm): Promise<string> {
  const key = await openssl("pkey", "-in", path(`${algorithm}.key`));
  return blocks([key, ...[`${algorithm}.crt`, "ca.crt"].map((name) => readFileSync(path(name), "utf8"))].join("")).join(
    "\n",
  );
}

const commonNameOf = (algorithm: Algorithm): string => `Fühler 温度 🌡 ${algorithm}`;

/** Each algorithm takes another way through the formats, so that all ways are gone and JCEKS is not opened for all of them. */
const ways = NAMES.flatMap((from, i) =>
  NAMES.map((to, j) => [from, to, ALGORITHMS[(i + j) % ALGORITHMS.length]!] as const),
);

test.each(ways)("from %s to %s, %s", async (from, to, algorithm) => {
  const pem = await whole(algorithm);
  writeFileSync(path("whole.pem"), `${pem}\n`);
  const [first, firstOptions] = FORMATS[from];
  const [second, secondOptions] = FORMATS[to];
  const passwords = (extension: string) => (extension === "pem" ? [] : ["--outPasswordEnv=OUT"]);
  await convert("whole.pem", `first.${first}`, "--outAlias=Gerät 1", ...passwords(first), ...firstOptions);
  await convert(
    `first.${first}`,
    `second.${second}`,
    "--passwordEnv=IN",
    "--outAlias=device",
    ...passwords(second),
    ...secondOptions,
  );
  await convert(`second.${second}`, "third.pem", "--passwordEnv=IN");
  expect(blocks(readFileSync(path("third.pem"), "utf8")).join("\n")).toBe(pem);
  const file = path(`second.${second}`);
  const read = { alias: "device", certificates: { length: 2 } };
  if (to.startsWith("PKCS#12")) {
    expect(await seenByJava("PKCS12", "Java", file, PASSWORD)).toMatchObject([read]);
    const legacy = to === "PKCS#12, RC2" ? ["-legacy"] : [];
    const said = await exec(["openssl", "pkcs12", "-in", file, "-noout", "-passin", `pass:${PASSWORD}`, ...legacy]);
    expect(said.code).toBe(0);
  } else if (to === "JKS" || to === "JCEKS") expect(await seenByJava(to, "Java", file, PASSWORD)).toMatchObject([read]);
  else if (to !== "PEM") expect(await seenByJava("BKS", "BC", file, PASSWORD)).toMatchObject([read]);
});

test.each(NAMES)("from %s to DER, the key in a file of its own, and back", async (format) => {
  const [extension, options] = FORMATS[format];
  const algorithm = ALGORITHMS[NAMES.indexOf(format) % ALGORITHMS.length]!;
  const pem = await whole(algorithm);
  const ca = readFileSync(path("ca.crt"), "utf8");
  writeFileSync(path("whole.pem"), `${pem}\n`);
  const password = extension === "pem" ? [] : ["--outPasswordEnv=OUT"];
  await convert("whole.pem", `to-der.${extension}`, "--outAlias=Gerät 1", ...password, ...options);
  // DER holds one certificate: its authority is left out, which is said, and comes back by --caFile.
  expect(
    await convert(`to-der.${extension}`, "own.der", "--keyOut=key.der", "--passwordEnv=IN", "--outPasswordEnv=OUT"),
  ).toStartWith("own.der: left out: 1 of its chain, since DER holds one certificate\n");
  expect(await openssl("x509", "-inform", "DER", "-in", path("own.der"))).toBe(
    await openssl("x509", "-in", path(`${algorithm}.crt`)),
  );
  const key = ["pkey", "-inform", "DER", "-in", path("key.der"), "-passin", `pass:${PASSWORD}`];
  expect(await openssl(...key)).toStartWith(`${blocks(pem)[0]}\n`);
  const joined = ["--keyFile=key.der", "--caFile=ca.crt", "--passwordEnv=IN"];
  await convert("own.der", `from-der.${extension}`, ...joined, ...password, ...options);
  const alone = extension === "pem" ? [] : [`--alias=${commonNameOf(algorithm)}`];
  await convert(`from-der.${extension}`, "back.pem", "--passwordEnv=IN", ...alone);
  const back = readFileSync(path("back.pem"), "utf8");
  expect(blocks(back).slice(0, 2)).toEqual(blocks(pem).slice(0, 2));
  expect(back).toContain(blocks(ca)[0]!);
});

test.each(NAMES.filter((name) => name !== "PEM"))("a trust store from DER to %s and back", async (format) => {
  const [extension, options] = FORMATS[format];
  await openssl("x509", "-in", path("ca.crt"), "-outform", "DER", "-out", path("ca.der"));
  await convert("ca.der", `trust.${extension}`, "--outPasswordEnv=OUT", ...options);
  await convert(`trust.${extension}`, "trust.der", "--passwordEnv=IN");
  expect(readFileSync(path("trust.der"))).toEqual(readFileSync(path("ca.der")));
});

test("keytool copies from what is converted, and what it has made is converted", async () => {
  writeFileSync(path("whole.pem"), await whole("RSA 2048"));
  const access = (name: string) => ["-keystore", path(name), "-storepass", PASSWORD];
  await convert("whole.pem", "ours.jks", "--outAlias=device", "--outPasswordEnv=OUT");
  const from = ["-srckeystore", path("ours.jks"), "-srcstorepass", PASSWORD];
  for (const [type, more] of [
    ["PKCS12", []],
    ["JCEKS", []],
    ["BKS", BOUNCY_CASTLE],
  ] as const) {
    const to = ["-destkeystore", path(`keytool.${type}`), "-deststorepass", PASSWORD, "-deststoretype", type];
    await keytool("-importkeystore", "-noprompt", ...from, ...to, ...more);
    await convert(`keytool.${type}`, "back.pem", "--passwordEnv=IN");
    expect(blocks(readFileSync(path("back.pem"), "utf8")).join("\n")).toBe(await whole("RSA 2048"));
  }
  // A secret key, which only Java's stores have.
  const secret = ["-genseckey", "-alias", "secret", "-keyalg", "AES", "-keysize", "256"];
  await keytool(...secret, ...access("keytool.PKCS12"));
  expect(await convert("keytool.PKCS12", "less.jks", "--passwordEnv=IN", "--outPasswordEnv=OUT")).toStartWith(
    "less.jks: left out: 1 that are neither private keys nor certificates, such as secret keys\n",
  );
});
