// Token buckets by key, with a clock of the test's own.

import { describe, expect, test } from "bun:test";
import { Rates } from "../../../src/admission/rates.ts";

const make = (settings: Partial<ConstructorParameters<typeof Rates>[0]> = {}, workers = 1) =>
  new Rates({ intervalMs: 100, burst: 3, maxEntries: 4, ...settings }, workers, () => {});
const LATER = Number.POSITIVE_INFINITY;

describe("a bucket", () => {
  test("lets a burst pass at once, then one per interval", () => {
    const rates = make();
    expect([0, 0, 0, 0].map((now) => rates.take("a", now))).toEqual([0, 0, 0, LATER]);
    expect(rates.take("a", 99)).toBe(LATER);
    expect(rates.take("a", 100)).toBe(0);
    expect(rates.take("a", 100)).toBe(LATER);
  });

  test("is full again after burst intervals, and never fuller", () => {
    const rates = make();
    for (let n = 0; n < 3; n++) rates.take("a", 0);
    expect([300, 300, 300, 300].map((now) => rates.take("a", now))).toEqual([0, 0, 0, LATER]);
    expect([9000, 9000, 9000, 9000].map((now) => rates.take("a", now))).toEqual([0, 0, 0, LATER]);
  });

  test("a refusal costs nothing, so who tries all the time comes in at the rate", () => {
    const rates = make();
    let passed = 0;
    for (let now = 0; now < 10_000; now++) if (rates.take("a", now) === 0) passed++;
    expect(passed).toBe(3 + 99);
  });

  test("those who may wait are given their moments in order", () => {
    const rates = make({ burst: 1 });
    expect([0, 0, 0, 0].map((now) => rates.take("a", now, 250))).toEqual([0, 100, 200, LATER]);
  });

  test("a debit is paid back, and never more than two bursts", () => {
    const rates = make();
    rates.debit("a", 1_000_000, 0);
    expect(rates.take("a", 399)).toBe(LATER);
    expect(rates.take("a", 400)).toBe(0);
  });
});

describe("a full table", () => {
  test("forgets what is full again at no loss", () => {
    const rates = make();
    for (let n = 0; n < 100; n++) rates.take(n, n * 200);
    expect(rates.size).toBeLessThanOrEqual(4);
    expect(rates.evictions).toBe(0);
  });

  test("keeps whoever is at his limit, however many others come", () => {
    const rates = make();
    for (let n = 0; n < 3; n++) rates.take("loud", 0);
    for (let n = 0; n < 10_000; n++) rates.take(n, 1);
    expect(rates.take("loud", 2)).toBe(LATER);
    expect(rates.size).toBe(4);
    expect(rates.evictions).toBeGreaterThan(9000);
  });

  test("who is forgotten for others begins with what he had spent", () => {
    const rates = make({ burst: 3 });
    rates.take("x", 0);
    rates.take("x", 0);
    for (let n = 0; n < 100; n++) rates.take(n, 0);
    expect([0, 0].map((now) => rates.take("x", now))).toEqual([0, LATER]);
  });

  test("of keys that are all at their limits lets new ones in by their slots, and none without a count", () => {
    const rates = make({ burst: 1 });
    for (let n = 0; n < 4; n++) rates.take(n, 0);
    expect(rates.take("new", 0)).toBe(0);
    expect(rates.take("new", 0)).toBe(LATER);
    let passed = 0;
    for (let n = 0; n < 50_000; n++) if (rates.take(`rotated ${n}`, 0) === 0) passed++;
    expect(passed).toBeLessThanOrEqual(4096);
    expect(rates.size).toBe(4);
  });
});

test("ordinary clients are never told of; what is over a part of the burst is told once", () => {
  const rates = make({ burst: 8 }, 2);
  const told: [unknown, number][] = [];
  const report = () => rates.report((key, spent) => told.push([key, spent]));
  rates.take("a", 0);
  rates.take("a", 0);
  report();
  expect(told).toEqual([]);
  rates.take("a", 0);
  report();
  report();
  expect(told).toEqual([["a", 3]]);
  rates.learn("a", 1, 0); // another worker has it too: from now on every token is told
  rates.take("a", 0);
  report();
  expect(told).toEqual([
    ["a", 3],
    ["a", 1],
  ]);
});
