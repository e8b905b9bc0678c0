// Client CAs come from PEM, DER or a Java trust store, and keys beside them are never taken for authorities.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Authority } from "../../support/certs.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();
const [first, second] = await Promise.all([Authority.create("First CA"), Authority.create("Second CA")]);
const file = (name: string) => join(directory, name);
const run = async (...command: string[]) => {
  const { code, stdout, stderr } = await exec(command);
  if (code !== 0) throw new Error(`${command.join(" ")}: ${stdout}${stderr}`);
};
await run("openssl", "x509", "-in", first.cert, "-outform", "DER", "-out", file("first.cer"));
await Promise.all(
  ["JKS", "PKCS12"].map(async (type) => {
    const store = ["-keystore", file(type), "-storetype", type, "-storepass", "secret1"];
    for (const [alias, authority] of Object.entries({ one: first, two: second }))
      await run("keytool", "-importcert", "-noprompt", "-alias", alias, "-file", authority.cert, ...store);
    const key = ["-genkeypair", "-alias", "server", "-keyalg", "EC", "-dname", "CN=server", "-keypass", "secret1"];
    await run("keytool", ...key, ...store);
  }),
);

function subjects(path: string, password: string | null = null): string[] | string {
  const outcome = new CertificateFiles().authorities(path, { kind: "ok", value: password });
  return outcome.kind === "ok" ? outcome.value.certificates.map((each) => each.subject).sort() : outcome.message;
}

test("a certificate in DER is an authority", () => {
  expect(subjects(file("first.cer"))).toEqual(["CN=First CA"]);
});

for (const type of ["JKS", "PKCS12"])
  test(`the trusted certificates of ${type} are authorities, and the server's own is not`, () => {
    expect(subjects(file(type), "secret1")).toEqual(["CN=First CA", "CN=Second CA"]);
    expect(subjects(file(type), "wrong-one")).toMatch(/password is wrong/);
  });

test("JKS is read without a password, and PKCS#12 says that it needs one", () => {
  expect(subjects(file("JKS"))).toEqual(["CN=First CA", "CN=Second CA"]);
  expect(subjects(file("PKCS12"))).toMatch(/PKCS12: the store is encrypted: give caPassword or caPasswordFile$/);
});

test("a damaged one is an error that names the file", () => {
  writeFileSync(file("cut.cer"), readFileSync(file("first.cer")).subarray(0, 100));
  expect(subjects(file("cut.cer"))).toBe(`${file("cut.cer")}: is in DER and cut off, so it cannot be read`);
});
