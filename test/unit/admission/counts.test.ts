// What each key has at a time, and what workers tell of it.

import { expect, test } from "bun:test";
import { Counts } from "../../../src/admission/counts.ts";
import { addressKey, formatKey, textKey } from "../../../src/admission/keys.ts";
import { Tables } from "../../../src/admission/tables.ts";
import { parseAddress } from "../../../src/ip/address.ts";

const make = (limit: number, workers = 1) => new Counts({ limit, maxEntries: 3 }, workers, () => {});

test("each key has its own count, and what is released may be taken again", () => {
  const counts = make(2);
  const first = counts.take("a");
  expect([counts.take("a"), counts.take("a"), counts.take("b")].map((lease) => lease !== null)).toEqual([
    true,
    false,
    true,
  ]);
  first!.release();
  expect(counts.take("a")).not.toBeNull();
});

test("a key that has nothing is forgotten", () => {
  const counts = make(2);
  for (let n = 0; n < 1000; n++) counts.take(n)!.release();
  expect(counts.size).toBe(0);
});

test("what others have is part of the count, and their keys are bounded", () => {
  const counts = make(2, 2);
  counts.learn("a", 2);
  expect(counts.take("a")).toBeNull();
  for (let n = 0; n < 10; n++) counts.learn(n, 1);
  expect([counts.size, counts.evictions]).toEqual([3, 8]);
  counts.learn("a", 0);
  expect(counts.size).toBe(2);
});

test("a key is told of from a part of the limit on, or when another worker tells of it", () => {
  const counts = make(8, 2);
  const told: unknown[] = [];
  const report = () => counts.report((key, open) => told.push(key, open));
  const leases = [counts.take("a"), counts.take("a")];
  report();
  expect(told).toEqual([]);
  leases.push(counts.take("a"));
  report();
  expect(told.splice(0)).toEqual(["a", 3]);
  counts.take("b");
  counts.learn("b", 5);
  report();
  expect(told.splice(0)).toEqual(["b", 1]);
  for (const lease of leases) lease!.release();
  report();
  expect(told).toEqual(["a", 0]);
});

test("a table that a reload takes away leaves no count with other workers", () => {
  const tables = new Tables(2, () => 0);
  tables.counts("t", { limit: 1, maxEntries: 3 }).take("a");
  expect(tables.report().open).toEqual([["t", "a", 1]]);
  tables.keep(() => false);
  expect(tables.report().open).toEqual([["t", "a", 0]]);
  expect([...tables.status()]).toEqual([]);
});

test("an address is cut to its prefix; a mapped one is IPv4", () => {
  const key = (text: string, ipv4Prefix = 32, ipv6Prefix = 64) =>
    formatKey(addressKey(parseAddress(text), ipv4Prefix, ipv6Prefix), ipv4Prefix, ipv6Prefix);
  expect(key("192.0.2.255")).toBe("192.0.2.255");
  expect(key("::ffff:192.0.2.255")).toBe("192.0.2.255");
  expect(key("255.1.2.3", 8)).toBe("255.0.0.0/8");
  expect(key("255.1.2.3", 0)).toBe("0.0.0.0/0");
  expect(key("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(key("2001:db8:1:2:3:4:5:6", 32, 49)).toBe("2001:db8:1::/49");
  expect(key("2001:db8::1", 32, 128)).toBe("2001:db8::1");
});

test("a text is a key of bounded size, and no text is an address or another text's key", () => {
  const long = textKey("x".repeat(65_535));
  expect(String(long).length).toBeLessThan(80);
  expect(textKey("2001:db8::")).not.toBe(addressKey(parseAddress("2001:db8::"), 32, 64));
  expect(textKey(formatKey(long, 32, 64))).not.toBe(long);
});
