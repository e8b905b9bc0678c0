// When certificates are renewed and failures tried again: never late, never all at once, never sooner than the authority asks for.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { lifetimeOf, momentOf, pauseAfter, renewalId, renewalTime } from "../../../src/acme/renewal.ts";
import { Authority } from "../../support/certs.ts";
import { exec } from "../../support/tools.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;

test("without a suggestion it is with a third of the lifetime left, spread over a tenth of that third before", () => {
  const lifetime = { notBefore: 0, notAfter: 90 * DAY };
  expect(renewalTime(lifetime, 0)).toBe(60 * DAY);
  expect(renewalTime(lifetime, 1)).toBe(57 * DAY);
  // Six days, as short-lived profiles have it.
  expect(renewalTime({ notBefore: 0, notAfter: 6 * DAY }, 0)).toBe(4 * DAY);
});

test("a suggested window is met somewhere within", () => {
  const window = { start: 100, end: 200 };
  expect([0, 0.5, 1].map((random) => momentOf(window, random))).toEqual([100, 150, 200]);
});

test("pauses grow with each failure and end at a day, with room for chance", () => {
  const plain = { kind: "challenge", retryAfterMs: null };
  expect([1, 2, 3, 4, 8, 9, 100].map((failures) => pauseAfter(failures, plain, 0) / MINUTE)).toEqual([
    1, 5, 15, 60, 1440, 1440, 1440,
  ]);
  expect(pauseAfter(1, plain, 1)).toBe(1.2 * MINUTE);
});

test("what the authority asks for is waited for, and an hour where it is overrun and does not say", () => {
  expect(pauseAfter(1, { kind: "rateLimited", retryAfterMs: 3 * DAY }, 0)).toBe(3 * DAY);
  expect(pauseAfter(1, { kind: "rateLimited", retryAfterMs: null }, 0)).toBe(60 * MINUTE);
  expect(pauseAfter(8, { kind: "rateLimited", retryAfterMs: 1000 }, 0)).toBe(1440 * MINUTE);
});

test("a certificate's name in renewal information is its authority's key identifier and its serial number", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["a.test"], extensions: "authorityKeyIdentifier=keyid" });
  const pem = readFileSync(pair.cert, "utf8");
  const shown = (await exec(["openssl", "x509", "-in", pair.cert, "-noout", "-ext", "authorityKeyIdentifier"])).stdout;
  const keyId = Buffer.from(/((?:[0-9A-F]{2}:)+[0-9A-F]{2})/.exec(shown)![1]!.replaceAll(":", ""), "hex");
  const [id, serial] = renewalId(pem)!.split(".");
  expect(id).toBe(keyId.toString("base64url"));
  // DER's leading zero byte belongs to it (RFC 9773 4.1).
  const hex = Buffer.from(serial!, "base64url").toString("hex").toUpperCase();
  expect(hex.replace(/^00/, "")).toBe(new X509Certificate(pem).serialNumber);
  const { notBefore, notAfter } = lifetimeOf(pem)!;
  expect(notAfter - notBefore).toBe(20 * DAY);
});

test("what is no certificate has neither a lifetime nor a name", () => {
  for (const text of ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    expect([lifetimeOf(text), renewalId(text)]).toEqual([null, null]);
});
