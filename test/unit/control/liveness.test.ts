// A worker that says nothing is steered around and then hangs; one that only waits for a processor, or whose master was held up, does not.

import { expect, test } from "bun:test";
import { Liveness, LOOK_MS } from "../../../src/control/liveness.ts";

function watched(count = 1) {
  let now = 1000;
  const waited = new Map<number, number | null>();
  const liveness = new Liveness(
    (pid) => waited.get(pid) ?? null,
    () => now,
  );
  const hung: number[] = [];
  for (let index = 0; index < count; index++) {
    liveness.started(index, 100 + index);
    liveness.serves(index);
  }
  /** Lets time go by, looking as often as the master does. */
  const pass = (ms: number, meanwhile: () => void = () => {}) => {
    for (const end = now + ms; now < end; ) {
      now += LOOK_MS;
      meanwhile();
      hung.push(...liveness.look());
    }
  };
  /** The master looks once, after this. */
  const holdUp = (ms: number) => {
    now += ms;
    hung.push(...liveness.look());
  };
  return { liveness, hung, waited, pass, holdUp };
}

test("who says something every second is well, for ever", () => {
  const { liveness, hung, pass } = watched();
  for (let i = 0; i < 100; i++) pass(1000, () => liveness.heard(0));
  expect(hung).toEqual([]);
  expect(liveness.isWell(0)).toBe(true);
  expect(liveness.areServed).toBe(true);
});

test("who is silent gets nobody new after 2.5 s, and hangs after 4.5 s; others do not", () => {
  const { liveness, hung, pass } = watched(2);
  const other = () => void liveness.heard(1);
  pass(2000, other);
  expect(liveness.isWell(0)).toBe(true);
  pass(500, other);
  expect(liveness.isWell(0)).toBe(false);
  expect(hung).toEqual([]);
  pass(2000, other);
  expect(hung).toEqual([0]);
  expect(liveness.silentMs(0)).toBe(4500);
  expect(liveness.areServed).toBe(true);
  liveness.gone(0);
  expect(liveness.silentMs(0)).toBe(null);
});

test("who says something again is well again, and that is told once", () => {
  const { liveness, pass } = watched();
  pass(3000);
  expect(liveness.heard(0)).toBe(true);
  expect(liveness.heard(0)).toBe(false);
  expect(liveness.isWell(0)).toBe(true);
});

test("one that has not begun to accept is not well, and has a minute", () => {
  const { liveness, hung, pass } = watched();
  liveness.started(0, 7);
  pass(59_000);
  expect(liveness.isWell(0)).toBe(false);
  expect(hung).toEqual([]);
  pass(1000);
  expect(hung).toEqual([0]);
});

test("one that waits for a processor does not hang, but not for ever; it gets nobody new", () => {
  const { liveness, hung, waited, pass } = watched();
  waited.set(100, 0);
  // It gets a tenth of a processor.
  pass(10_000, () => waited.set(100, waited.get(100)! + 0.9 * LOOK_MS));
  expect(hung).toEqual([]);
  expect(liveness.isWell(0)).toBe(false);
  pass(8000, () => waited.set(100, waited.get(100)! + 0.9 * LOOK_MS));
  expect(hung[0]).toBe(0);
});

test("one that gets its processor and says nothing hangs", () => {
  const { hung, waited, pass } = watched();
  waited.set(100, 0);
  pass(4500, () => waited.set(100, waited.get(100)! + 0.1 * LOOK_MS));
  expect(hung).toEqual([0]);
});

test("what the master has not read because it was held up itself is nobody's silence", () => {
  const { liveness, hung, pass, holdUp } = watched();
  pass(1000, () => liveness.heard(0));
  holdUp(60_000);
  expect(hung).toEqual([]);
  expect(liveness.isWell(0)).toBe(true);
  pass(4500);
  expect(hung).toEqual([0]);
});

test("nobody is served when no worker is well, a second later: one that dies is replaced sooner", () => {
  const { liveness, pass } = watched(2);
  pass(1000, () => [0, 1].map((index) => liveness.heard(index)));
  for (const index of [0, 1]) liveness.gone(index);
  pass(500);
  expect(liveness.areServed).toBe(true);
  pass(500);
  expect(liveness.areServed).toBe(false);
  liveness.started(0, 9);
  expect(liveness.areServed).toBe(false);
  liveness.serves(0);
  expect(liveness.areServed).toBe(true);
});
