// The pace at which connections go, over all workers together, by a clock of the test's own, and what the log says of it.

import { afterEach, describe, expect, test } from "bun:test";
import { Departures, TICK_MS } from "../../../src/control/departures.ts";
import type { Departure } from "../../../src/control/losses.ts";
import type { Logger } from "../../../src/observe/logger.ts";
import type { ToWorker } from "../../../src/protocol/messages.ts";
import type { LivePolicy } from "../../../src/upstream/live.ts";
import { random } from "../../support/random.ts";

const spread = (perSecond: number): LivePolicy => ({ kind: "spread", perSecond });
const drain = (policy: LivePolicy, reason: Departure["reason"] = "drained"): Departure => {
  return { id: "x", reason, which: { by: "server", key: "s h:1" }, policy, about: { service: "s", server: "h:1" } };
};

const open: Departures[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** Workers with so many connections each, as numbers: what is let go is taken from them, and they tell what is left every second. */
function stage(...connections: number[]) {
  let now = 0;
  const lines: string[] = [];
  const told: ToWorker[] = [];
  const done: string[] = [];
  const log = { info: (fields: object, text: string) => void lines.push(`${text} ${JSON.stringify(fields)}`) };
  const tell = (message: ToWorker, worker?: number) => {
    told.push(message);
    if (message.type === "let-go") connections[worker!]! -= message.count;
  };
  const host = { tell, workers: () => [...connections.keys()], done: (id: string) => void done.push(id) };
  const { below } = random(7);
  const departures = new Departures(
    host,
    log as unknown as Logger,
    () => now,
    () => below(2 ** 30) / 2 ** 30,
  );
  open.push(departures);
  const round = () => told.findLast((each) => each.type === "leaving")!.round;
  const report = () => {
    for (const [worker, count] of connections.entries()) departures.left(worker, round(), [["x", count]]);
  };
  /** Lets time pass, with the workers' word every second. */
  const pass = (ms: number) => {
    for (const end = now + ms; now < end; ) {
      now += TICK_MS;
      if (now % 1000 === 0) report();
      departures.tick();
    }
  };
  const left = () => connections.reduce((sum, each) => sum + each, 0);
  const skip = (ms: number) => void (now += ms);
  return { departures, connections, lines, told, done, report, pass, left, skip };
}

describe("spread", () => {
  test.each([1, 7, 10, 250, 10_000])(
    "closes %d in a second over three workers, never more, and all in the end",
    (pace) => {
      const { departures, report, pass, left } = stage(pace * 3, pace, pace);
      departures.set([drain(spread(pace))]);
      report();
      for (let second = 1; second <= 5; second++) {
        pass(1000);
        expect(pace * 5 - left()).toBeLessThanOrEqual(pace * second);
        expect(pace * 5 - left()).toBeGreaterThanOrEqual(pace * second - 1);
      }
      pass(1000);
      expect(left()).toBe(0);
    },
  );

  test("takes from each worker in proportion to what it has", () => {
    const { departures, report, pass, connections } = stage(8000, 2000, 0);
    departures.set([drain(spread(1000))]);
    report();
    pass(5000);
    expect(connections[0]! / (connections[0]! + connections[1]!)).toBeCloseTo(0.8, 1);
    expect(connections[2]).toBe(0);
  });

  test("closes a fifth of a second's share at most after the master stood still", () => {
    const { departures, report, pass, left, skip } = stage(1000);
    departures.set([drain(spread(100))]);
    report();
    skip(60_000);
    pass(TICK_MS);
    expect(left()).toBe(979);
  });

  test("goes on by another pace, and stops when it is taken back", () => {
    const { departures, report, pass, left } = stage(1000);
    departures.set([drain(spread(10))]);
    report();
    pass(1000);
    departures.set([drain(spread(100))]);
    pass(1000);
    expect(left()).toBeWithin(889, 892);
    departures.set([]);
    const then = left();
    pass(5000);
    expect(left()).toBe(then);
  });

  test("goes on when a worker is gone, and with the one that replaces it", () => {
    const { departures, told, report, pass, connections } = stage(100, 100);
    departures.set([drain(spread(10))]);
    report();
    connections[1] = 0;
    departures.gone(1);
    departures.started(1);
    expect(told.at(-1)).toMatchObject({ type: "leaving", put: [{ id: "x" }] });
    pass(1000);
    expect(connections[0]).toBeWithin(90, 92);
  });
});

describe("keep and close", () => {
  test.each(["keep", "close"] as const)("%s tells the workers once and lets none go by itself", (kind) => {
    const { departures, told, report, pass } = stage(10, 10);
    departures.set([drain({ kind })]);
    departures.set([drain({ kind })]);
    report();
    pass(5000);
    expect(told).toMatchObject([{ type: "leaving", put: [{ atOnce: kind === "close", reason: "drained" }], drop: [] }]);
  });
});

describe("the log", () => {
  test("says how many are left when a drain begins, after 10 s, then ever less often, and when none is", () => {
    const { departures, connections, lines, report, pass } = stage(500, 500);
    departures.set([drain({ kind: "keep" })]);
    expect(lines).toEqual([]);
    report();
    for (let second = 0; second < 100; second++) {
      connections[0]! -= 5;
      pass(1000);
    }
    connections[1] = 0;
    pass(1000);
    pass(20_000);
    const about = '"service":"s","server":"h:1"';
    expect(lines).toEqual([
      `draining a server {${about},"live":"keep","left":1000}`,
      `connections are left {${about},"live":"keep","left":950}`,
      `connections are left {${about},"live":"keep","left":850}`,
      `connections are left {${about},"live":"keep","left":650}`,
      `the server is drained {${about}}`,
    ]);
  });

  test("says nothing of what a reload has removed where nobody is connected, and forgets it", () => {
    const { departures, lines, done, report, pass } = stage(0, 0);
    departures.set([drain({ kind: "close" }, "removed")]);
    report();
    pass(61_000);
    expect(lines).toEqual([]);
    expect(done).toEqual(["x"]);
  });

  test("waits until every worker has counted since the drain began", () => {
    const { departures, lines } = stage(1, 1);
    departures.set([drain(spread(1))]);
    departures.left(0, 1, [["x", 1]]);
    departures.left(1, 0, []);
    expect(lines).toEqual([]);
    departures.left(1, 1, [["x", 1]]);
    expect(lines).toEqual(['draining a server {"service":"s","server":"h:1","live":"spread","perSecond":1,"left":2}']);
  });
});
