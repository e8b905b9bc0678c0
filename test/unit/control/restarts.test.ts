// A child that dies after a good life starts again at once; one in a crash loop waits longer and longer, up to half a minute.

import { expect, test } from "bun:test";
import { Restarts } from "../../../src/control/restarts.ts";

test("the first death is answered at once", () => expect(new Restarts().next(0)).toBe(0));

test("a crash loop backs off to 30 s and stays there", () => {
  const restarts = new Restarts();
  const waits = Array.from({ length: 10 }, () => restarts.next(100));
  expect(waits).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("a life of ten seconds forgives all that was before, one a little shorter does not", () => {
  const restarts = new Restarts();
  for (let i = 0; i < 5; i++) restarts.next(0);
  expect(restarts.next(9999)).toBe(8000);
  expect(restarts.next(10_000)).toBe(0);
  expect(restarts.next(0)).toBe(500);
});
