// A worker that accepts no more: its connections end together, evenly or at a rate, and it says when the last has gone.

import { afterEach, describe, expect, test } from "bun:test";
import type { DrainPace } from "../../../src/protocol/messages.ts";
import { Drain } from "../../../src/proxy/drain.ts";

interface Fake {
  isOver: boolean;
  readonly record: { readonly entryPoint: string };
  shutdown(): void;
}

const open: (() => void)[] = [];
afterEach(() => {
  for (const end of open.splice(0)) end();
});

/** A worker with so many connections at each entry point, and a clock that is set by hand. */
function worker(counts: Readonly<Record<string, number>>, graceMs: number, pace: DrainPace) {
  const connections = new Set<Fake>();
  for (const [entryPoint, count] of Object.entries(counts))
    for (let at = 0; at < count; at++) {
      const connection: Fake = {
        isOver: false,
        record: { entryPoint },
        shutdown: () => {
          connection.isOver = true;
          connections.delete(connection);
        },
      };
      connections.add(connection);
    }
  const state = { now: 0, done: 0 };
  const host = { connections, turns: { run: (step: () => void) => step() }, done: () => void state.done++ };
  const drain = new Drain(
    host,
    graceMs,
    pace,
    () => state.now,
    () => 0,
  );
  const left = (entryPoint: string) => [...connections].filter((each) => each.record.entryPoint === entryPoint).length;
  /** Ticks of 50 ms until then. */
  const until = (ms: number) => {
    while (state.now < ms) {
      state.now += 50;
      drain.tick();
    }
  };
  open.push(() => {
    connections.clear();
    until(state.now + 50);
  });
  return { drain, state, connections, left, until };
}

describe("connections of a worker that drains", () => {
  test("end together at the end of the time, and then it is done, once", () => {
    const { state, connections, until } = worker({ a: 10 }, 1000, { kind: "together" });
    until(950);
    expect([connections.size, state.done]).toEqual([10, 0]);
    until(1200);
    expect([connections.size, state.done]).toEqual([0, 1]);
  });

  test("end evenly over the time where the entry point says so, the others at its end", () => {
    const { left, state, until } = worker({ a: 1000, b: 7 }, 10_000, { kind: "evenly", entryPoints: ["a"] });
    for (let at = 1000; at < 10_000; at += 1000) {
      until(at);
      expect(Math.abs(left("a") - (1000 - at / 10))).toBeLessThanOrEqual(2);
      expect(left("b")).toBe(7);
    }
    until(10_000);
    expect([left("a"), left("b"), state.done]).toEqual([0, 0, 1]);
  });

  test("end at a rate, also at one under 1 a second", () => {
    const fast = worker({ a: 100 }, 3_600_000, { kind: "rate", perSecond: 10 });
    fast.until(5000);
    expect(Math.abs(fast.left("a") - 50)).toBeLessThanOrEqual(1);
    fast.until(10_200);
    expect([fast.left("a"), fast.state.done]).toEqual([0, 1]);
    const slow = worker({ a: 3 }, 3_600_000, { kind: "rate", perSecond: 0.5 });
    slow.until(1900);
    expect(slow.left("a")).toBe(3);
    slow.until(2100);
    expect(slow.left("a")).toBe(2);
  });

  test("do not end by the thousand after a pause of the process", () => {
    const { state, drain, left } = worker({ a: 100 }, 3_600_000, { kind: "rate", perSecond: 10 });
    state.now = 600_000;
    drain.tick();
    expect(left("a")).toBe(90);
  });

  test("that end by themselves are waited for no longer", () => {
    const { state, connections, until } = worker({ a: 2 }, 1000, { kind: "together" });
    until(100);
    connections.clear();
    until(150);
    expect(state.done).toBe(1);
  });

  test("end sooner when Sluice stops meanwhile, and never later than they would have", () => {
    const sooner = worker({ a: 5 }, 3_600_000, { kind: "together" });
    sooner.until(500);
    sooner.drain.change(1000, { kind: "together" });
    sooner.until(1450);
    expect(sooner.connections.size).toBe(5);
    sooner.until(1500);
    expect([sooner.connections.size, sooner.state.done]).toEqual([0, 1]);
    const later = worker({ a: 5 }, 1000, { kind: "together" });
    later.drain.change(5000, { kind: "together" });
    later.until(1000);
    expect(later.connections.size).toBe(0);
  });
});
