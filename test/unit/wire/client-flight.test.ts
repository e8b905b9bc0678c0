// What a client says in the clear behind its hello: an alert, and before TLS 1.3 its certificates, however they are cut.

import { describe, expect, test } from "bun:test";
import { CertificateReader, plainAlertIn } from "../../../src/wire/client-flight.ts";
import { bytes } from "../../fixtures/hello/hellos.ts";
import { certificateMessage, inRecords } from "../../support/certificate-fuzz.ts";
import { random } from "../../support/random.ts";

describe("an alert in the clear", () => {
  const alert = (level: number, code: number) => bytes(21, 3, 3, 0, 2, level, code);
  const changeCipherSpec = bytes(20, 3, 3, 0, 1, 1);
  test.each([
    ["alone", alert(2, 48), 48],
    ["behind a change of ciphers", bytes(changeCipherSpec, alert(2, 42)), 42],
    ["a warning is none", alert(1, 112), 0],
    ["a warning and then a fatal one", bytes(alert(1, 90), alert(2, 0x28)), 40],
    ["encrypted", bytes(21, 3, 3, 0, 26, new Uint8Array(26)), 0],
    ["cut short", alert(2, 48).subarray(0, 6), 0],
    ["of nothing", new Uint8Array(0), 0],
    ["in application data", bytes(23, 3, 3, 0, 7, alert(2, 48)), 0],
  ])("%s", (_, chunk, code) => {
    expect(plainAlertIn(chunk)).toBe(code);
  });
});

const chain = [new Uint8Array(700).fill(1), new Uint8Array(900).fill(2)];
const message = certificateMessage(chain);
const read = { kind: "certificates" as const, certificates: chain.map((each) => Buffer.from(each)) };
const pushed = (wire: Uint8Array) => {
  const result = new CertificateReader().push(wire);
  return result.kind === "certificates"
    ? { ...result, certificates: result.certificates.map((each) => Buffer.from(each)) }
    : result;
};

test("the chain is read in the client's order, from one record or many, with what comes behind it", () => {
  for (const size of [16_000, 500, 100, 30]) expect(pushed(inRecords(message, size))).toEqual(read);
  expect(pushed(bytes(inRecords(message, 16_000), 22, 3, 3, 0, 1, 16, 20, 3, 3, 0, 1, 1))).toEqual(read);
  // ClientKeyExchange in the same record.
  expect(pushed(inRecords(Buffer.concat([message, Buffer.from([16, 0, 0, 0])]), 16_000))).toEqual(read);
});

test("in chunks of any size it reads the same, and every prefix wants more", () => {
  const wire = inRecords(message, 200);
  const dice = random(5);
  for (let round = 0; round < 50; round++) {
    const reader = new CertificateReader();
    const most = 1 + dice.below(400);
    for (let at = 0; at < wire.length; ) {
      const size = Math.min(wire.length - at, 1 + dice.below(most));
      const result = reader.push(wire.slice(at, at + size));
      at += size;
      expect(result.kind).toBe(at < wire.length ? "more" : "certificates");
    }
  }
});

test("a client without a certificate sends an empty list", () => {
  expect(pushed(inRecords(certificateMessage([]), 100))).toEqual({ kind: "certificates", certificates: [] });
});

test.each([
  ["a resumed session, which begins with ChangeCipherSpec", bytes(20, 3, 3, 0, 1, 1)],
  ["an alert", bytes(21, 3, 3, 0, 2, 2, 48)],
  ["another message", inRecords(Buffer.from([16, 0, 0, 0]), 10)],
  ["an empty record", bytes(22, 3, 3, 0, 0)],
  ["a record over 2^14", bytes(22, 3, 3, 0x40, 1)],
  ["a list that is longer than its message", inRecords(Buffer.from([11, 0, 0, 3, 0, 0, 1]), 10)],
  ["a certificate that runs over the list", inRecords(Buffer.from([11, 0, 0, 7, 0, 0, 4, 0, 0, 9, 1]), 20)],
  ["an empty certificate", inRecords(Buffer.from([11, 0, 0, 6, 0, 0, 3, 0, 0, 0]), 20)],
  ["a megabyte that is announced", inRecords(Buffer.from([11, 0x10, 0, 0, 0]), 20)],
  ["more records than anybody sends", inRecords(message, 10)],
])("%s is nothing to read", (_, wire) => {
  expect(pushed(wire)).toEqual({ kind: "none" });
});

test("any bytes give an answer", () => {
  const dice = random(6);
  const wire = inRecords(message, 300);
  for (let round = 0; round < 3000; round++) {
    const changed = Uint8Array.from(wire.subarray(0, dice.below(wire.length + 1)));
    for (let change = dice.below(4); change >= 0 && changed.length > 0; change--)
      changed[dice.below(Math.min(changed.length, dice.chance(0.7) ? 20 : changed.length))] = dice.below(256);
    const reader = new CertificateReader();
    const cut = dice.below(changed.length + 1);
    reader.push(changed.slice(0, cut));
    expect(["more", "certificates", "none"]).toContain(reader.push(changed.slice(cut)).kind);
    plainAlertIn(changed);
  }
});
