// While no server of a service can be reached, its clients are refused without a dial, and one in a while finds out.

import { expect, test } from "bun:test";
import { Outages } from "../../../src/proxy/outages.ts";

test("one client in a second tries, the others are refused, until a server is reached", () => {
  let now = 0;
  const outages = new Outages(() => now);
  expect(outages.refuses("s")).toBe(false);
  outages.begin("s");
  expect([outages.refuses("s"), outages.refuses("other")]).toEqual([true, false]);
  now = 999;
  expect(outages.refuses("s")).toBe(true);
  now = 1000;
  expect([outages.refuses("s"), outages.refuses("s")]).toEqual([false, true]);
  // The one that tries may take long: another one follows.
  now = 2000;
  expect(outages.refuses("s")).toBe(false);
  outages.end("s");
  expect(outages.refuses("s")).toBe(false);
  outages.begin("s");
  outages.clear();
  expect(outages.refuses("s")).toBe(false);
});
