// Which source address a dial gets: one after another, of the server's family, and none that has no port left while there are others.

import { expect, test } from "bun:test";
import { SourceTurns } from "../../../src/net/source-turns.ts";

const V4 = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

test("source addresses come in turn, and only those of the server's family", () => {
  const turns = new SourceTurns(() => 0);
  expect([1, 2, 3, 4].map(() => turns.take(V4, "192.0.2.1"))).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
  const mixed = ["10.0.0.1", "2001:db8::1"];
  for (let i = 0; i < 3; i++) {
    expect(turns.take(mixed, "192.0.2.1")).toBe("10.0.0.1");
    expect(turns.take(mixed, "2001:db8::9")).toBe("2001:db8::1");
  }
  expect(turns.take(V4, "2001:db8::9")).toBeNull();
  expect(turns.take([], "192.0.2.1")).toBeNull();
});

test("one that has failed is left out for a second, and one is taken where all have failed", () => {
  let now = 0;
  const turns = new SourceTurns(() => now);
  turns.failed("10.0.0.2");
  expect([1, 2, 3, 4].map(() => turns.take(V4, "192.0.2.1"))).not.toContain("10.0.0.2");
  expect(turns.hasOther(V4, "192.0.2.1")).toBe(true);
  turns.failed("10.0.0.1");
  turns.failed("10.0.0.3");
  expect(turns.hasOther(V4, "192.0.2.1")).toBe(false);
  expect(V4).toContain(turns.take(V4, "192.0.2.1")!);
  now = 1001;
  expect(turns.hasOther(V4, "192.0.2.1")).toBe(true);
  expect(new Set([1, 2, 3].map(() => turns.take(V4, "192.0.2.1"))).size).toBe(3);
});
