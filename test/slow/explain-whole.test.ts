// Many more clients made at random than in test/e2e/explain.test.ts end where `sluice explain` says.

import { expect, test } from "bun:test";
import { compareMany } from "../support/explained-edge.ts";

test("clients made at random end where explain says", async () => {
  expect((await compareMany(20260801, 200)).size).toBeGreaterThan(8);
}, 300_000);
