// Client CAs come from PEM, DER or a Java trust store, and keys beside them are never taken for authorities.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Authority } from "../../support/certs.ts";
import { keytool, openssl } from "../../support/key-stores.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();
const [first, second] = await Promise.all([Authority.create("First CA"), Authority.create("Second CA")]);
const file = (name: string) => join(directory, name);
await openssl("x509", "-in", first.cert, "-outform", "DER", "-out", file("first.cer"));
// A store with a server's key, to which keytool adds the authorities, and a copy of it in Java's other type.
const server = await first.issue({ names: ["server"] });
const pkcs12 = ["-in", server.cert, "-inkey", server.key, "-name", "server", "-passout", "pass:secret1"];
await openssl("pkcs12", "-export", ...pkcs12, "-out", file("PKCS12"));
for (const [alias, authority] of Object.entries({ one: first, two: second })) {
  const to = ["-keystore", file("PKCS12"), "-storepass", "secret1"];
  await keytool("-importcert", "-noprompt", "-alias", alias, "-file", authority.cert, ...to);
}
const from = ["-srckeystore", file("PKCS12"), "-srcstorepass", "secret1"];
const to = ["-destkeystore", file("JKS"), "-deststoretype", "JKS", "-deststorepass", "secret1"];
await keytool("-importkeystore", "-noprompt", ...from, ...to);

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
