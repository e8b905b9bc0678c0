// Bans: who has failed so often within the window is banned, each time for twice as long, and no table grows without end.

import { expect, test } from "bun:test";
import { BanBook, type BanRules } from "../../../src/admission/ban-book.ts";

const RULES: BanRules = { failures: 3, window: 60_000, time: 10_000, maxTime: 35_000 };
const START = 1_700_000_000_000;

function bookOf(rules: Partial<BanRules> = {}, most?: number) {
  const lifted: unknown[] = [];
  const book = new BanBook({ ...RULES, ...rules }, (key) => void lifted.push(key), most);
  return { book, lifted };
}

test("the failure that is one too many within the window bans, and no earlier one does", () => {
  const { book } = bookOf();
  expect(book.fail(1, "not-tls", 2, START)).toBeNull();
  expect(book.fail(1, "bad-hello", 1, START + 59_000)).toEqual({
    ...{ until: START + 69_000, ms: 10_000, level: 1, reason: "bad-hello" },
  });
  expect([...book.bans.keys()]).toEqual([1]);
});

test("what is older than the window does not count, at the latest a sixteenth later", () => {
  const { book } = bookOf();
  book.fail(1, "not-tls", 2, START);
  expect(book.fail(1, "not-tls", 1, START + 60_000 + 3750)).toBeNull();
  expect(book.fail(1, "not-tls", 2, START + 60_000 + 3750)).not.toBeNull();
});

test("many failures cost an address no more than few", () => {
  const { book } = bookOf({ failures: 100_000 });
  for (let at = 0; at < 50_000; at++) book.fail(1, "not-tls", 1, START + at);
  expect(book.suspects).toBe(1);
  expect(book.bans.size).toBe(0);
});

test("each ban is twice as long as the one before, up to the limit, and one who behaves for as long begins anew", () => {
  const { book, lifted } = bookOf();
  let now = START;
  const lengths: number[] = [];
  for (let n = 0; n < 4; n++) {
    const ban = book.fail("2001:db8::", "not-tls", 3, now)!;
    lengths.push(ban.ms);
    // Its last connections, which were open before, count for nothing.
    expect(book.fail("2001:db8::", "not-tls", 3, now)).toBeNull();
    now = ban.until;
    book.sweep(now - 1);
    expect(book.bans.size).toBe(1);
    book.sweep(now);
    expect(book.bans.size).toBe(0);
  }
  expect(lengths).toEqual([10_000, 20_000, 35_000, 35_000]);
  expect(lifted).toEqual(Array.from({ length: 4 }, () => "2001:db8::"));
  now += 35_000 + 60_000;
  book.sweep(now);
  expect(book.suspects).toBe(0);
  expect(book.fail("2001:db8::", "not-tls", 3, now)!.ms).toBe(10_000);
});

test("a clock that is set back makes no ban longer than it was meant to be", () => {
  const { book } = bookOf();
  book.fail(1, "not-tls", 3, START);
  book.sweep(START - 1_000_000);
  book.sweep(START - 1_000_000 + 10_000);
  expect(book.bans.size).toBe(0);
});

test("both tables are bounded: the address that failed least recently is forgotten, and the oldest ban lifted", () => {
  const { book, lifted } = bookOf({}, 100);
  for (let key = 0; key < 1000; key++) book.fail(key, "not-tls", 1, START);
  expect([book.suspects, book.evictions]).toEqual([100, 900]);
  for (let key = 0; key < 1000; key++) book.fail(key, "not-tls", 3, START);
  expect([book.bans.size, lifted.length]).toEqual([100, 900]);
  expect(lifted[0]).toBe(0);
  expect(book.bans.has(999)).toBe(true);
});

test("a ban by hand is lifted by hand, and is no mark against the address", () => {
  const { book, lifted } = bookOf();
  book.put(7, { until: START + 1000, ms: 1000, level: 0, reason: "by-hand" });
  expect(book.lift(7)).toBe(true);
  expect(book.lift(7)).toBe(false);
  expect(lifted).toEqual([7]);
  expect(book.fail(7, "not-tls", 3, START)!.level).toBe(1);
});
