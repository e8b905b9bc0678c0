// The certificate that Sluice makes for itself at each start is a sound one, the same as the library for certificates would make.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { developmentAuthority, developmentServer } from "../../../src/authority/development.ts";
import { partsOf } from "../../../src/certs/x509.ts";
import { DEFAULT_NAME } from "../../../src/tls/certificates.ts";
import { issueDefaultCertificate } from "../../../src/tls/default-certificate.ts";

/** The text that openssl prints of a certificate, but for its keys, numbers and signature. */
async function printed(certificate: string): Promise<string> {
  const openssl = Bun.spawn(["openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253,show_type"], {
    stdio: [new Blob([certificate]), "pipe", "pipe"],
  });
  const text = await new Response(openssl.stdout).text();
  expect(await new Response(openssl.stderr).text()).toBe("");
  // Sign and length differ with the number; times differ by what the making takes.
  return text
    .replace(/Serial Number:.*\n( +[0-9a-f:]+\n)?/, "Serial Number\n")
    .replace(/\b([0-9a-fA-F]{2}:)+[0-9a-fA-F]{2}:?/g, "hex")
    .replace(/:\d\d \d{4} GMT/g, "")
    .replace(/(\s+hex)+/g, " hex");
}

test("it is what the library would make", async () => {
  const { cert } = await issueDefaultCertificate();
  const byLibrary = await developmentServer(await developmentAuthority("Sluice default certificate"), [DEFAULT_NAME]);
  const text = await printed(cert);
  expect(text).toBe(await printed(byLibrary.cert));
  expect(text).toContain(`DNS:${DEFAULT_NAME}`);
});

test("its key fits, and each start has another one", async () => {
  const [one, other] = await Promise.all([issueDefaultCertificate(), issueDefaultCertificate()]);
  const certificate = new X509Certificate(one.cert);
  expect(certificate.checkPrivateKey(createPrivateKey(one.key))).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(other.key))).toBe(false);
  expect(certificate.checkHost(DEFAULT_NAME)).toBe(DEFAULT_NAME);
  expect(certificate.serialNumber).not.toBe(new X509Certificate(other.cert).serialNumber);
  expect(partsOf(certificate.raw).extensions).toHaveLength(6);
});
