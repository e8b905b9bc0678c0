// A file of another kind than its field wants is called what it is, with what to do about it; nothing of it is repeated.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Authority } from "../../support/certs.ts";
import { keytool, openssl } from "../../support/key-stores.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();
const path = (name: string): string => join(directory, name);
const write = (name: string, content: string | Buffer): void => writeFileSync(path(name), content);

const authority = await Authority.create("Test CA");
const pair = await authority.issue({ names: ["a.test"] });
const cert = readFileSync(pair.cert, "utf8");
const key = readFileSync(pair.key, "utf8");
const bodyOf = (pem: string): string => pem.replace(/^-----.*\n/gm, "");

write("cert.pem", cert);
write("key.pem", key);
write("cert-utf16.pem", Buffer.from(`\ufeff${cert}`, "utf16le"));
write("cert.base64", bodyOf(cert));
write("key.base64", bodyOf(key));
write("page.pem", "<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n");
write("empty.pem", "\n");
write("random.pem", Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 197) % 256)));
write("notes.pem", "the certificate is on the other disk\n");
await Promise.all([
  openssl("x509", "-in", pair.cert, "-outform", "DER", "-out", path("cert.cer")),
  openssl("pkey", "-in", pair.key, "-outform", "DER", "-out", path("key.der")),
  openssl("pkcs8", "-topk8", "-in", pair.key, "-outform", "DER", "-passout", "pass:x", "-out", path("sealed.der")),
  openssl("pkey", "-in", pair.key, "-pubout", "-out", path("public.pem")),
  openssl("pkey", "-in", pair.key, "-pubout", "-outform", "DER", "-out", path("public.der")),
  openssl("req", "-new", "-key", pair.key, "-subj", "/CN=a.test", "-out", path("request.csr")),
  openssl("req", "-new", "-key", pair.key, "-subj", "/CN=a.test", "-outform", "DER", "-out", path("request.der")),
  openssl("crl2pkcs7", "-nocrl", "-certfile", pair.cert, "-out", path("cert.p7b")),
  openssl("crl2pkcs7", "-nocrl", "-certfile", pair.cert, "-outform", "DER", "-out", path("cert-der.p7b")),
  openssl("pkcs12", "-export", "-in", pair.cert, "-inkey", pair.key, "-passout", "pass:x", "-out", path("store.p12")),
  openssl("ecparam", "-name", "prime256v1", "-out", path("ec.params")),
  keytool(
    ...["-genkeypair", "-alias", "a", "-keyalg", "EC", "-dname", "CN=a", "-storetype", "JKS"],
    ...["-keystore", path("store.jks"), "-storepass", "secret1", "-keypass", "secret1"],
  ),
  exec(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", path("ssh")]),
]);
write("cut.cer", readFileSync(path("cert.cer")).subarray(0, 200));
write("crl.pem", await authority.crl());
write("crl.der", await authority.crl({ form: "DER" }));

const TO_PEM = "sluice certs convert FILE FILE.pem";

describe("certFile", () => {
  const cases: [file: string, message: RegExp | string][] = [
    ["cert.cer", `is a certificate in DER, and PEM is read here: ${TO_PEM}`],
    ["cut.cer", "is in DER and cut off, so it cannot be read"],
    ["key.der", "holds a private key, and no certificate: give it as keyFile, and the certificate as certFile"],
    ["sealed.der", /^holds a private key, and no certificate/],
    ["key.pem", /^holds a private key, and no certificate: give it as keyFile/],
    ["public.pem", /^holds a public key, and no certificate/],
    ["public.der", /^holds a public key, and no certificate/],
    ["request.csr", "is a certificate signing request, and no certificate: give what the authority has issued for it"],
    ["request.der", /^is a certificate signing request, and no certificate/],
    ["cert.p7b", "is PKCS#7, which is not read: openssl pkcs7 -print_certs -in FILE -out FILE.pem"],
    ["cert-der.p7b", "is PKCS#7, which is not read: openssl pkcs7 -print_certs -in FILE -out FILE.pem -inform DER"],
    ["crl.pem", "is a revocation list, and no certificate"],
    ["store.p12", /^is a key store \(PKCS12\): give it as keyStore, with keyStorePassword/],
    ["store.jks", /^is a key store \(JKS\): give it as keyStore, with keyStorePassword/],
    ["ssh", /^is a private key of SSH, and no certificate/],
    ["ssh.pub", /^is a public key of SSH, and no certificate/],
    ["cert-utf16.pem", "is in UTF-16: save it in UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8)"],
    ["cert.base64", /^is base64 without its first and its last line: put -----BEGIN CERTIFICATE----- before it/],
    ["ec.params", "holds EC PARAMETERS, and no certificate"],
    ["page.pem", /^is a web page, and no certificate/],
    ["empty.pem", "is empty"],
    ["random.pem", "is binary, and no certificate of a kind that Sluice knows"],
    ["notes.pem", "is a text without a -----BEGIN line, and no certificate"],
  ];
  for (const [file, message] of cases)
    test(file, () => {
      const outcome = new CertificateFiles().pair({ certFile: path(file), keyFile: pair.key });
      says(outcome, "certFile", file, message);
    });
});

describe("keyFile", () => {
  const cases: [file: string, message: RegExp | string][] = [
    ["key.der", `is a private key in DER, and PEM is read here: ${TO_PEM}`],
    ["sealed.der", /^is a private key in DER/],
    ["cert.pem", "holds a certificate, and no private key: give the key that belongs to it as keyFile"],
    ["cert.cer", /^holds a certificate, and no private key/],
    ["public.pem", "holds a public key: the private key is the other half, made together with it"],
    ["request.csr", /^is a certificate signing request, and no private key/],
    ["store.p12", /^is a key store \(PKCS12\): give it as keyStore/],
    ["ssh", "is a private key in the form of OpenSSH: ssh-keygen -p -m PKCS8 -f FILE writes it as PEM"],
    ["ssh.pub", /^is a public key of SSH, and no private key/],
    ["key.base64", /^is base64 without its first and its last line: put -----BEGIN PRIVATE KEY----- before it/],
    ["random.pem", "is binary, and no private key of a kind that Sluice knows"],
  ];
  for (const [file, message] of cases)
    test(file, () => {
      says(new CertificateFiles().pair({ certFile: pair.cert, keyFile: path(file) }), "keyFile", file, message);
    });

  test("of another certificate: the subject of the one that is given is named", async () => {
    const other = await authority.issue({ names: ["b.test"] });
    write("other.key", readFileSync(other.key));
    const outcome = new CertificateFiles().pair({ certFile: pair.cert, keyFile: path("other.key") });
    says(outcome, "keyFile", "other.key", "the private key does not belong to the certificate of CN=a.test");
  });
});

describe("caFiles", () => {
  const cases: [file: string, message: RegExp | string][] = [
    ["request.csr", /^is a certificate signing request, and no certificate of an authority/],
    ["request.der", /^is a certificate signing request, and no certificate of an authority/],
    ["key.pem", "holds a private key, and no certificate of an authority"],
    ["crl.pem", "is a revocation list, and no certificate of an authority: give it in crlFiles"],
    ["public.pem", /^holds a public key, and no certificate of an authority/],
    ["cut.cer", "is in DER and cut off, so it cannot be read"],
    ["cert-utf16.pem", /^is in UTF-16/],
    ["cert.p7b", /^is PKCS#7/],
    ["random.pem", /^is binary, and no certificate of an authority/],
  ];
  for (const [file, message] of cases)
    test(file, () => says(new CertificateFiles().authorities(path(file)), "", file, message));

  test("a certificate in DER and a Java trust store are what they should be", () => {
    expect(new CertificateFiles().authorities(path("cert.cer")).kind).toBe("ok");
  });
});

describe("crlFiles", () => {
  const cases: [file: string, message: RegExp | string][] = [
    ["cert.pem", /^holds a certificate, and no revocation list/],
    ["cert.cer", /^holds a certificate, and no revocation list/],
    ["store.jks", "is a key store (JKS), and no revocation list"],
    ["key.pem", "holds a private key, and no revocation list"],
    ["page.pem", /^is a web page, and no revocation list/],
    ["empty.pem", "is empty"],
  ];
  const loaded = new CertificateFiles().authorities(authority.cert);
  const authorities = loaded.kind === "ok" ? loaded.value.certificates : [];
  for (const [file, message] of cases)
    test(file, () => says(new CertificateFiles().revocationLists(path(file), authorities), "", file, message));

  test("both forms of a list are what they should be", () => {
    for (const file of ["crl.pem", "crl.der"])
      expect(new CertificateFiles().revocationLists(path(file), authorities).kind).toBe("ok");
  });
});

function says(
  outcome: { kind: "ok" } | { kind: "error"; field: string; message: string },
  field: string,
  file: string,
  message: RegExp | string,
): void {
  if (outcome.kind === "ok") throw new Error(`${file} was taken`);
  expect(outcome.field).toBe(field);
  const start = `${path(file)}: `;
  expect(outcome.message).toStartWith(start);
  const rest = outcome.message.slice(start.length);
  if (typeof message === "string") expect(rest).toBe(message);
  else expect(rest).toMatch(message);
  expect(rest).toMatch(/^[\x20-\x7e]{1,300}$/);
}
