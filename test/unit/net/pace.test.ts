// How long a sender has to wait, with a clock of the test's own.

import { expect, test } from "bun:test";
import { Pace } from "../../../src/net/pace.ts";
import { narrower } from "../../../src/net/paced-side.ts";

test("a burst costs no wait, and what is more is waited for at the rate", () => {
  const pace = new Pace({ bytesPerSecond: 1000, burst: 1000 });
  pace.spend(1000, 0);
  expect(pace.wait(0)).toBe(0);
  pace.spend(500, 0);
  expect(pace.wait(0)).toBe(500);
  expect(pace.wait(499)).toBe(1);
  expect(pace.wait(500)).toBe(0);
});

test("however large what is read at once is, the rate holds over time", () => {
  const pace = new Pace({ bytesPerSecond: 10_000, burst: 10_000 });
  let now = 0;
  let bytes = 0;
  while (now < 100_000) {
    pace.spend(65_536, now);
    bytes += 65_536;
    // Up to two ticks late.
    const wait = pace.wait(now);
    now += wait === 0 ? 1 : wait + 200;
  }
  expect(bytes / (now / 1000)).toBeGreaterThan(9_500);
  expect(bytes / (now / 1000)).toBeLessThan(11_500);
});

test("a long pause saves up one burst and no more", () => {
  const pace = new Pace({ bytesPerSecond: 1000, burst: 2000 });
  pace.spend(2000, 1_000_000);
  expect(pace.wait(1_000_000)).toBe(0);
  pace.spend(1, 1_000_000);
  expect(pace.wait(1_000_000)).toBe(1);
});

test("a burst is at least what comes while a wait ends late", () => {
  const pace = new Pace({ bytesPerSecond: 100_000, burst: 1024 });
  pace.spend(25_000, 0);
  expect(pace.wait(0)).toBe(0);
});

test("of two limits the narrower one counts, in each direction", () => {
  const rate = (bytesPerSecond: number) => ({ bytesPerSecond, burst: 1 });
  expect(narrower(null, { in: rate(1), out: null })).toEqual({ in: rate(1), out: null });
  expect(narrower({ in: rate(1), out: null }, { in: rate(2), out: rate(3) })).toEqual({ in: rate(1), out: rate(3) });
});
