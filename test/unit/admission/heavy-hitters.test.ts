// Who comes most often is known in a table of fixed size.

import { expect, test } from "bun:test";
import { HeavyHitters } from "../../../src/admission/heavy-hitters.ts";

test("of a million addresses those that come most often are found, in their order", () => {
  const hitters = new HeavyHitters(256);
  let stranger = 1000;
  for (let n = 0; n < 100_000; n++) {
    hitters.add(stranger++, "not-tls");
    if (n % 10 === 0) hitters.add(1, "banned");
    if (n % 20 === 0) hitters.add(2, "bad-hello");
  }
  const [first, second] = hitters.top(2);
  expect([first!.key, first!.what, second!.key, second!.what]).toEqual([1, "banned", 2, "bad-hello"]);
  expect(first!.count).toBeGreaterThanOrEqual(10_000);
  expect(first!.count).toBeLessThan(10_000 + hitters.total / 256);
  expect(hitters.total).toBe(115_000);
  expect(hitters.top(1000).length).toBe(256);
});
