// Of several certificates for a name each client gets the first that it can verify, by what its hello says.

import { expect, test } from "bun:test";
import type { CertifiedKey } from "../../../src/certs/pem.ts";
import type { KeyType } from "../../../src/certs/private-key.ts";
import { CertificateStore, type SignatureOffer } from "../../../src/tls/certificates.ts";

const certificate = (keyType: KeyType): CertifiedKey => ({
  hash: keyType,
  cert: "",
  key: "",
  keyType,
  names: ["a.test"],
});
const store = (...types: KeyType[]) => new CertificateStore(types.map(certificate), null);

const [P256, P384, X25519] = [23, 24, 29];
const OFFER: SignatureOffer = {
  signatureAlgorithms: [0x0403, 0x0503, 0x0804, 0x0401],
  suites: "any",
  groups: [X25519, P256, P384],
  versions: [],
};

const cases: [what: string, types: KeyType[], offer: Partial<SignatureOffer>, chosen: KeyType][] = [
  ["the curve among its groups", ["rsa", "p256"], {}, "p256"],
  ["the curve not among its groups", ["rsa", "p256"], { groups: [X25519, P384] }, "rsa"],
  ["no groups at all", ["rsa", "p256"], { groups: [] }, "rsa"],
  ["the other curve among its groups", ["rsa", "p256", "p384"], { groups: [P384] }, "p384"],
  ["no curve, and no RSA to fall back to", ["p256", "p384"], { groups: [X25519] }, "p256"],
  ["suites for ECDSA alone, without the curve", ["rsa", "p256"], { suites: "ecdsa", groups: [X25519] }, "rsa"],
  ["suites for RSA alone", ["rsa", "p256"], { suites: "rsa" }, "rsa"],
  ["schemes of RSA alone", ["rsa", "p256"], { signatureAlgorithms: [0x0804] }, "rsa"],
  ["Ed25519 has no group", ["rsa", "ed25519"], { groups: [], signatureAlgorithms: [0x0807] }, "ed25519"],
  ["no schemes: older than TLS 1.2", ["rsa", "p256"], { signatureAlgorithms: [] }, "rsa"],
  ["no schemes, and no RSA", ["p256", "p384"], { signatureAlgorithms: [], groups: [P384] }, "p384"],
];

test.each(cases)("before TLS 1.3: %s", (_, types, offer, chosen) => {
  expect(store(...types).find("a.test", { ...OFFER, ...offer }, "TLSv1.2")!.keyType).toBe(chosen);
  expect(store(...types).find("a.test", { ...OFFER, ...offer }, "TLSv1.3")!.keyType).toBe(chosen);
});

const cases13: typeof cases = [
  ["groups say nothing of certificates", ["rsa", "p256"], { groups: [X25519] }, "p256"],
  ["suites of TLS 1.2 say nothing either", ["rsa", "p256"], { suites: "rsa" }, "p256"],
  ["a scheme is bound to its curve", ["rsa", "p384"], { signatureAlgorithms: [0x0403, 0x0804] }, "rsa"],
  ["PKCS#1 signs no handshake", ["rsa", "p256"], { signatureAlgorithms: [0x0401, 0x0403] }, "p256"],
];

test.each(cases13)("in TLS 1.3: %s", (_, types, offer, chosen) => {
  const hello = { ...OFFER, versions: [0x0304, 0x0303], ...offer };
  expect(store(...types).find("a.test", hello, "TLSv1.3")!.keyType).toBe(chosen);
});

test("a client that could speak TLS 1.3 is judged by TLS 1.2 where that is the highest", () => {
  const hello = { ...OFFER, versions: [0x0304, 0x0303], groups: [X25519] };
  expect(store("rsa", "p256").find("a.test", hello, "TLSv1.2")!.keyType).toBe("rsa");
});

test("the only certificate is for everyone", () => {
  expect(
    store("p256").find("a.test", { ...OFFER, groups: [], signatureAlgorithms: [0x0804] }, "TLSv1.2")!.keyType,
  ).toBe("p256");
  expect(store("p256").find("b.test", OFFER, "TLSv1.2")).toBeNull();
});
