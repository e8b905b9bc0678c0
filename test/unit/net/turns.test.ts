// A crowd takes turns: steps above the budget wait, keep their order, and let the event loop through in between.

import { expect, test } from "bun:test";
import { onFault } from "../../../src/net/socket.ts";
import { Turns } from "../../../src/net/turns.ts";

let clock = 0;

/** Turns by the clock of these tests. */
const turnsByClock = () => new Turns(() => clock);

/** A step that takes a millisecond. */
function busy(): void {
  clock++;
}

test("steps within the budget are done at once", () => {
  const turns = turnsByClock();
  let done = 0;
  for (let i = 0; i < 10; i++) turns.run(() => done++);
  expect(done).toBe(10);
  expect(turns.size).toBe(0);
});

test("steps above the budget are all done, in order, with turns of the event loop between them", async () => {
  const turns = turnsByClock();
  const done: number[] = [];
  const finished = Promise.withResolvers<void>();
  for (let i = 0; i < 30; i++)
    turns.run(() => {
      busy();
      done.push(i);
      if (i === 29) finished.resolve();
    });
  // 2 ms of budget.
  expect(done).toEqual([0, 1]);
  expect(turns.size).toBe(28);
  let turnsSeen = 0;
  const count = () => {
    if (turns.size === 0) return;
    turnsSeen++;
    setImmediate(count);
  };
  setImmediate(count);
  await finished.promise;
  expect(done).toEqual(Array.from({ length: 30 }, (_, index) => index));
  expect(turnsSeen).toBeGreaterThan(10);
  expect(turns.size).toBe(0);
});

test("a step that comes while others wait goes behind them, and one that comes from a step too", async () => {
  const turns = turnsByClock();
  const done: string[] = [];
  const finished = Promise.withResolvers<void>();
  for (let i = 0; i < 5; i++) turns.run(busy);
  turns.run(() => {
    done.push("first");
    turns.run(() => {
      done.push("third");
      finished.resolve();
    });
  });
  turns.run(() => done.push("second"));
  await finished.promise;
  expect(done).toEqual(["first", "second", "third"]);
});

test("a step that throws is reported, and the others are done all the same", async () => {
  const turns = turnsByClock();
  const faults: string[] = [];
  onFault((error) => faults.push(error.message));
  const finished = Promise.withResolvers<void>();
  for (let i = 0; i < 5; i++) turns.run(busy);
  turns.run(() => {
    throw new Error("a defect");
  });
  turns.run(() => finished.resolve());
  await finished.promise;
  expect(faults).toEqual(["a defect"]);
  expect(turns.size).toBe(0);
});

test("what a step holds is free as soon as it has run, while others still wait", async () => {
  const turns = turnsByClock();
  const held: WeakRef<object>[] = [];
  const add = () => {
    const large = { bytes: new Uint8Array(1024) };
    if (turns.size > 0) held.push(new WeakRef(large)); // it will wait
    turns.run(() => {
      busy();
      large.bytes[0] = 1;
    });
  };
  for (let i = 0; i < 20; i++) add();
  let free = 0;
  const finished = Promise.withResolvers<void>();
  // The queue is never empty in between: each step brings the next one.
  const last = (left: number) =>
    turns.run(() => {
      busy();
      Bun.gc(true);
      free = held.filter((each) => each.deref() === undefined).length;
      if (left === 0 || free > 0) finished.resolve();
      else last(left - 1);
    });
  last(50);
  await finished.promise;
  expect(free).toBeGreaterThan(0);
});
