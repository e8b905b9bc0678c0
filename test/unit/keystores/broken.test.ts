// Key stores that are cut off, changed or forged byte by byte: each gives a reason, and never a key with another one's certificate.
// Takes samples; test/long has all of them.

import { describe, expect, test } from "bun:test";
import { random } from "../../support/random.ts";
import { judge, victims } from "./hostile.ts";

const dice = random(20260801);
const { stores } = await victims();
/** Bytes that mean something as a tag or a length in DER. */
const TELLING = [0x00, 0x01, 0x24, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff];

describe.each(stores.map((store) => [store.name, store] as const))("%s", (_, { bytes, costMs }) => {
  const samples = { 1: 60, 15: 6, 200: 1 }[costMs];

  test("as it was made, gives its pair", () => {
    expect(judge(bytes)).toMatchObject({ read: "ok", pair: true });
  });

  test("cut off anywhere, is refused", () => {
    for (let length = 0; length < bytes.length; length += 1 + dice.below(costMs > 1 ? 100 : 12)) {
      const verdict = judge(bytes.subarray(0, length));
      expect(verdict.read).not.toBe("ok");
      expect(verdict.pair).toBe(false);
    }
  });

  test("with one byte changed, gives a reason or a pair that fits", () => {
    for (let i = 0; i < samples; i++) {
      const broken = Buffer.from(bytes);
      broken[dice.below(broken.length)]! ^= 1 + dice.below(255);
      judge(broken);
    }
  });

  test("with a telling byte anywhere, gives a reason or a pair that fits", () => {
    for (let i = 0; i < samples; i++) {
      const broken = Buffer.from(bytes);
      broken[dice.below(broken.length)] = dice.pick(TELLING);
      judge(broken);
    }
  });

  test("with an absurd number anywhere, gives a reason or a pair that fits", () => {
    for (let i = 0; i < samples; i++) {
      const broken = Buffer.from(bytes);
      broken.writeUInt32BE(dice.pick([0, 0x7fffffff, 0x80000000, 0xffffffff]), dice.below(broken.length - 4));
      judge(broken);
    }
  });
});
