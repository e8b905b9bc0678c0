// Key stores for tests, made by the real keytool and openssl, and DER written by hand for those that no tool would make.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanup, exec, temporaryDirectory } from "./tools.ts";

export const BOUNCY_CASTLE_JAR = "/usr/share/java/bcprov.jar";

/** Makes keytool use BouncyCastle. */
export const BOUNCY_CASTLE = [
  "-providerclass",
  "org.bouncycastle.jce.provider.BouncyCastleProvider",
  "-providerpath",
  BOUNCY_CASTLE_JAR,
];

export async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await exec(["openssl", ...args]);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

let java: Keytools | null = null;
let last: Promise<unknown> = Promise.resolve();

/** One command of keytool, after those before it. Java is started once for all of a test file: a start costs a second. */
export function keytool(...args: string[]): Promise<string> {
  const result = last.then(() => (java ??= new Keytools()).run(args));
  last = result.catch(() => {});
  return result;
}

export interface Seen {
  readonly alias: string;
  /** PKCS#8 in DER; null for a trusted certificate. */
  readonly key: Buffer | null;
  /** DER. */
  readonly certificates: readonly Buffer[];
}

/**
 * What Java's KeyStore sees in a file: with its own provider, or with BouncyCastle's. In the order of aliases; a string is the exception
 * that it throws.
 */
export async function seenByJava(
  type: "JKS" | "JCEKS" | "PKCS12" | "BKS" | "BKS-V1",
  provider: "Java" | "BC",
  file: string,
  password: string,
  keyPassword = password,
): Promise<Seen[] | string> {
  const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();
  const secrets = [password, keyPassword].map((secret) => utf16be(secret).toString("base64"));
  const said = (await keytool("look", type, provider, file, ...secrets)).trim();
  if (said.startsWith("! ")) return said.slice(2);
  const seen = said.split("\n").filter((line) => line !== "");
  return seen
    .map((line) => {
      const [alias, key, ...certificates] = line.split(" ");
      return {
        alias: Buffer.from(alias!, "base64").swap16().toString("utf16le"),
        key: key === "-" ? null : Buffer.from(key!, "base64"),
        certificates: certificates.map((each) => Buffer.from(each, "base64")),
      };
    })
    .sort((a, b) => (a.alias < b.alias ? -1 : 1));
}

/**
 * The common name and the alternative names of the first certificate of `chain`, as Java has them: with its own provider or with
 * BouncyCastle's, which validates it (PKIX, RFC 5280) up to the authority and against the revocation lists. A string is the exception
 * that it throws. All are files in PEM.
 */
export async function validatedByJava(
  provider: "Java" | "BC",
  { chain, authority, lists }: { readonly chain: string; readonly authority: string; readonly lists: string },
): Promise<string[] | string> {
  const said = (await keytool("path", provider, chain, authority, lists)).trim();
  if (said.startsWith("! ")) return said.slice(2);
  return said.split(" ").map((word) => Buffer.from(word, "base64").swap16().toString("utf16le"));
}

class Keytools {
  readonly #process = Bun.spawn(
    [
      "java",
      // Without the better compiler and most of the collector's threads Java starts in half the time.
      ..."-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto".split(" "),
      ..."-Djdk.jceks.iterationCount=10000 -Dorg.bouncycastle.bks.enable_v1=true".split(" "),
      "--add-exports=java.base/sun.security.tools.keytool=ALL-UNNAMED",
      ...["-cp", BOUNCY_CASTLE_JAR],
      join(import.meta.dir, "Keytools.java"),
    ],
    // A letter that is not ASCII reaches Java only in a locale that can write it.
    { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C.UTF-8" } },
  );
  readonly #stdout = this.#process.stdout.getReader();
  readonly #stderr = new Response(this.#process.stderr).text();

  constructor() {
    cleanup(() => {
      java = null;
      this.#process.kill("SIGKILL");
    });
  }

  /** @throws when the command fails, with what keytool said. */
  async run(args: readonly string[]): Promise<string> {
    this.#process.stdin.write(`${args.join("\t")}\n`);
    await this.#process.stdin.flush();
    const decoder = new TextDecoder();
    for (let said = ""; ; ) {
      const { done, value } = await this.#stdout.read();
      if (done) {
        java = null;
        throw new Error(`keytool ${args.join(" ")}: ${said}${await this.#stderr}`);
      }
      said += decoder.decode(value, { stream: true });
      if (said.endsWith("\n.\n")) return said.slice(0, -3);
    }
  }
}

export interface Chain {
  readonly directory: string;
  /** Files: the certificate, its key, and both authorities with the issuer first. */
  readonly cert: string;
  readonly key: string;
  readonly authorities: string;
  readonly root: string;
  readonly issuer: string;
  /** Signs a request with the issuing authority; the file of the certificate. */
  sign(request: string, out: string): Promise<string>;
}

/** A root, an authority below it, and a certificate for edge.example below that. */
export async function chainOfThree(keyType: "ec" | "rsa"): Promise<Chain> {
  const directory = temporaryDirectory();
  const file = (name: string): string => join(directory, name);
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  writeFileSync(file("ca.ext"), "basicConstraints=critical,CA:TRUE\n");
  await openssl("req", "-x509", ...ec, "-keyout", file("root.key"), "-out", file("root.crt"), "-subj", "/CN=Root");
  const request = async (name: string, key: string[], subject: string, san?: string): Promise<void> => {
    const names = san === undefined ? [] : ["-addext", `subjectAltName=${san}`];
    await openssl(
      "req",
      ...key,
      "-keyout",
      file(`${name}.key`),
      "-out",
      file(`${name}.csr`),
      "-subj",
      subject,
      ...names,
    );
  };
  const sign = async (csr: string, out: string, by: string, more: string[]): Promise<string> => {
    const authority = ["-CA", file(`${by}.crt`), "-CAkey", file(`${by}.key`)];
    await openssl("x509", "-req", "-in", csr, "-out", out, "-days", "20", ...authority, ...more);
    return out;
  };
  await request("issuer", ec, "/CN=Issuer");
  await sign(file("issuer.csr"), file("issuer.crt"), "root", ["-extfile", file("ca.ext")]);
  await request(
    "edge",
    keyType === "ec" ? ec : ["-newkey", "rsa:2048", "-nodes"],
    "/CN=edge.example",
    "DNS:edge.example",
  );
  const signed = (csr: string, out: string) => sign(csr, out, "issuer", ["-copy_extensions", "copy"]);
  await signed(file("edge.csr"), file("edge.crt"));
  const authorities = [await Bun.file(file("issuer.crt")).text(), await Bun.file(file("root.crt")).text()];
  writeFileSync(file("authorities.pem"), authorities.join(""));
  return {
    directory,
    cert: file("edge.crt"),
    key: file("edge.key"),
    authorities: file("authorities.pem"),
    root: file("root.crt"),
    issuer: file("issuer.crt"),
    sign: signed,
  };
}

/** Runs jobs, some at a time: each start of Java takes a core for half a second. */
export async function someAtATime(jobs: readonly (() => Promise<unknown>)[], limit = 3): Promise<void> {
  const waiting = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
