// Who waits is called at its moment, in the order of moments and of coming; who waits for a place gets it in the order of coming.

import { expect, test } from "bun:test";
import { Counts } from "../../../src/admission/counts.ts";
import { InOrder, type PlaceHeld } from "../../../src/admission/in-order.ts";
import { type Wait, Waits } from "../../../src/admission/waits.ts";
import { random } from "../../support/random.ts";

test("all are called once, in the order of their moments, and who has left is not", () => {
  const { below, chance } = random(7);
  let now = 0;
  const waits = new Waits(() => now);
  const called: number[] = [];
  const expected: { at: number; id: number }[] = [];
  const all: Wait[] = [];
  for (let id = 0; id < 2000; id++) {
    const at = 1 + below(500);
    all.push(waits.add(at, () => called.push(id)));
    if (chance(0.2)) waits.cancel(all[id]!);
    else expected.push({ at, id });
  }
  expect(waits.size).toBe(expected.length);
  for (now = 0; now <= 500; now += 50) waits.run();
  expect(called).toEqual(expected.toSorted((a, b) => a.at - b.at || a.id - b.id).map(({ id }) => id));
  expect(waits.size).toBe(0);
});

test("the timer calls without being asked", async () => {
  const waits = new Waits();
  const order: string[] = [];
  await new Promise<void>((done) => {
    waits.add(20, () => {
      order.push("late");
      done();
    });
    waits.add(1, () => order.push("early"));
  });
  expect(order).toEqual(["early", "late"]);
});

test("places are given in the order of coming, each key has its own, and who leaves is passed over", () => {
  const counts = new Counts({ limit: 2, maxEntries: 100 }, 1, () => {});
  const inOrder = new InOrder(counts);
  const got: string[] = [];
  const enter = (key: string, who: string) => inOrder.enter(key, () => got.push(who));
  const places: Record<string, PlaceHeld> = {};
  for (const who of ["a1", "a2", "a3", "a4", "a5"]) places[who] = enter("a", who);
  enter("b", "b1");
  expect(got).toEqual(["a1", "a2", "b1"]);
  expect(inOrder.size).toBe(3);
  places.a3!.release();
  places.a1!.release();
  expect(got).toEqual(["a1", "a2", "b1", "a4"]);
  // A place that is given back twice is one place.
  places.a1!.release();
  expect([got.length, counts.of("a"), inOrder.size]).toEqual([4, 2, 1]);
  places.a2!.release();
  for (const who of ["a4", "a5"]) places[who]!.release();
  expect([got.at(-1)!, counts.of("a"), inOrder.size]).toEqual(["a5", 0, 0]);
});

test("a place that another worker gives back is found at the next look", () => {
  const counts = new Counts({ limit: 1, maxEntries: 100 }, 2, () => {});
  const inOrder = new InOrder(counts);
  counts.learn("a", 1);
  const got: string[] = [];
  inOrder.enter("a", () => got.push("one"));
  inOrder.look();
  expect(got).toEqual([]);
  counts.learn("a", 0);
  inOrder.look();
  expect(got).toEqual(["one"]);
});
