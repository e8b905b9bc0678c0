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

  test("what others have spent is paid back, and never more than two bursts", () => {
    const rates = make();
    rates.learn("a", 1_000_000, 0);
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

test("in a storm workers let in together what one would: at the rate, whatever they tell each other and when", () => {
  const WORKERS = 4;
  const intervalMs = 10;
  const workers = Array.from({ length: WORKERS }, () => make({ intervalMs, burst: 10 }, WORKERS));
  const begun: number[] = [];
  for (let now = 0; now < 10_000; now++) {
    // Far more come than may, to all workers, and whoever is refused comes again at once.
    for (const rates of workers) {
      for (let count = 0; count < 3; count++) {
        const wait = rates.take("all", now, 3000);
        if (wait !== LATER) begun.push(now + wait);
      }
    }
    // As workers do: each tells the others ten times a second.
    if (now % 100 !== 99) continue;
    for (const rates of workers)
      rates.report((key, spent) => {
        for (const other of workers) if (other !== rates) other.learn(key, spent, now);
      });
  }
  for (let second = 0; second < 10; second++) {
    const count = begun.filter((at) => at >= second * 1000 && at < (second + 1) * 1000).length;
    // The burst of each worker goes at once: what comes before they can hear of each other.
    expect(count).toBeLessThanOrEqual(100 + (second === 0 ? WORKERS * 10 : WORKERS));
    expect(count).toBeGreaterThanOrEqual(100 - WORKERS);
  }
});

test("whatever others tell, who waits here has his moment behind those who came before him", () => {
  const rates = make({ intervalMs: 10, burst: 1 }, 2);
  const waits = () => Array.from({ length: 20 }, () => rates.take("all", 0, 5000));
  const first = waits();
  rates.learn("all", 1, 0);
  const all = [...first, ...waits()];
  expect(all).toEqual(all.toSorted((one, other) => one - other));
  expect(new Set(all).size).toBe(40);
});
