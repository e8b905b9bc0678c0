// Whatever a certificate holds, what reads one gives an answer.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { detailsOf, subjectOf } from "../../../src/certs/details.ts";
import { linkOf } from "../../../src/certs/links.ts";
import { identityOf } from "../../../src/certs/x509.ts";
import { clientNameOf } from "../../../src/tls/client-names.ts";
import { Authority } from "../../support/certs.ts";
import { HostileCertificates } from "../../support/hostile-certificates.ts";
import { random } from "../../support/random.ts";

const CERTIFICATES = 500;
const authority = await Authority.create();
const load = (der: Buffer): X509Certificate | null => {
  try {
    return new X509Certificate(der);
  } catch {
    return null;
  }
};

test("names, subjects and details are read or are not, and nothing throws", () => {
  const certificates = new HostileCertificates(authority, random(4));
  let loaded = 0;
  let read = 0;
  for (let round = 0; round < CERTIFICATES; round++) {
    const { der, cert } = certificates.next();
    try {
      if (identityOf(der) !== null) read++;
      detailsOf(der);
      const certificate = load(der);
      if (certificate === null) continue;
      loaded++;
      expect(clientNameOf(certificate)).toBeString();
      expect(subjectOf(certificate)).toBeString();
    } catch (error) {
      throw new Error(`round ${round}: ${error}\n${cert}`);
    }
  }
  expect(read).toBeGreaterThan(CERTIFICATES / 10);
  expect(loaded).toBeGreaterThan(CERTIFICATES / 10);
});

test("one without a subject has none, and is called by what else it has", () => {
  const { der } = new HostileCertificates(authority, random(4)).nameless("spiffe://example.com/device-1");
  const certificate = new X509Certificate(der);
  expect(clientNameOf(certificate)).toBe("URI:spiffe://example.com/device-1");
  expect(subjectOf(certificate)).toBe("spiffe://example.com/device-1");
  expect(linkOf(der)).toMatchObject({ subject: "[]", isForClients: true });
});
