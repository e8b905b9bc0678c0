// Key stores for tests, made by the real keytool and openssl, and DER written by hand for those that no tool would make.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec, temporaryDirectory } from "./tools.ts";

/** Makes keytool use BouncyCastle. */
export const BOUNCY_CASTLE = [
  "-providerclass",
  "org.bouncycastle.jce.provider.BouncyCastleProvider",
  "-providerpath",
  "/usr/share/java/bcprov.jar",
];

async function run(command: readonly string[]): Promise<string> {
  // A letter that is not ASCII reaches Java only in a locale that can write it.
  const { code, stdout, stderr } = await exec(command, { env: { LC_ALL: "C.UTF-8" } });
  if (code !== 0) throw new Error(`${command.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

export const openssl = (...args: string[]) => run(["openssl", ...args]);

/** One command of keytool. Without the compiler and most of the collector's threads Java starts in half the time. */
export const keytool = (...args: string[]) =>
  run(["keytool", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Xshare:auto", ...args]);

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
