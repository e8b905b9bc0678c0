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

test("one from which nothing can be dialled is left out for a while, and where all are, it is said why", () => {
  let now = 0;
  const turns = new SourceTurns(() => now);
  turns.failed("10.0.0.2", "source-addresses");
  expect([1, 2, 3, 4].map(() => turns.take(V4, "192.0.2.1"))).not.toContain("10.0.0.2");
  expect(turns.whyNone(V4, "192.0.2.1")).toBeNull();
  expect(turns.whyNone(["10.0.0.2"], "192.0.2.1")).toBe("source-addresses");
  turns.failed("10.0.0.1", "local-ports");
  turns.failed("10.0.0.3", "local-ports");
  expect(turns.take(V4, "192.0.2.1")).toBeNull();
  expect(turns.whyNone(V4, "192.0.2.1")).toBe("local-ports");
  // Another family is not theirs.
  expect(turns.whyNone(V4, "2001:db8::9")).toBeNull();
  now = 251;
  expect(turns.whyNone(V4, "192.0.2.1")).toBeNull();
  expect(new Set([1, 2, 3].map(() => turns.take(V4, "192.0.2.1"))).size).toBe(3);
});
