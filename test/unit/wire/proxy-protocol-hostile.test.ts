// PROXY headers that are broken on purpose are read as a second reader has them, and nothing throws. Many more: test/long/connect.long.test.ts.

import { expect, test } from "bun:test";
import { tryHostileProxyHeaders } from "../../support/hostile-packets.ts";

test("20 000 broken PROXY headers: none is taken that a plainer reader refuses, and none refused that it takes", () => {
  const { outcomes } = tryHostileProxyHeaders(20_000, Number(process.env.SLUICE_FUZZ_SEED ?? 20260815));
  expect([...outcomes.keys()].sort()).toEqual(["bad", "more", "none", "ok"]);
});
