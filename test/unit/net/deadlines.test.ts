// When deadlines are met: never early, also in a loop that was blocked.

import { expect, test } from "bun:test";
import { Deadlines, type Timed } from "../../../src/net/deadlines.ts";

/** Resolves with the time that has passed when it is due, by the clock that counts. */
function due(deadlines: Deadlines, ms: number): Promise<number> {
  const from = performance.now();
  return new Promise((resolve) => {
    const timed: Timed = { wheelTick: -1, wheelIndex: 0, onDeadline: () => resolve(performance.now() - from) };
    deadlines.set(timed, ms);
  });
}

test("a deadline that is set after the loop was blocked is not early: the wheel has yet to make up for its ticks", async () => {
  const deadlines = new Deadlines();
  const first = due(deadlines, 50);
  Bun.sleepSync(600);
  const second = due(deadlines, 300);
  await first;
  expect(await second).toBeGreaterThanOrEqual(300);
  expect(deadlines.size).toBe(0);
});

test("nor is one that is set while the wheel makes up for them", async () => {
  const deadlines = new Deadlines();
  const chained = due(deadlines, 50).then(() => 0);
  const within = new Promise<number>((resolve) => {
    const timed: Timed = {
      wheelTick: -1,
      wheelIndex: 0,
      onDeadline: () => void due(deadlines, 300).then(resolve),
    };
    deadlines.set(timed, 50);
  });
  Bun.sleepSync(900);
  await chained;
  expect(await within).toBeGreaterThanOrEqual(300);
});
