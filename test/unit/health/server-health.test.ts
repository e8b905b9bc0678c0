// The state of one server, by its checks and by what the connections of clients tell.

import { expect, test } from "bun:test";
import { type HealthRules, ServerHealth } from "../../../src/health/server-health.ts";
import { DEFAULT_PASSIVE } from "../../../src/upstream/health.ts";

const passive = { failures: 1, unanswered: 3, windowMs: 1000, coolDownMs: 100 };
const checked = (rise: number, fall: number, more: Partial<HealthRules> = {}) =>
  new ServerHealth({ check: { rise, fall }, passive, ...more });
const unchecked = (more: Partial<typeof passive> = {}) =>
  new ServerHealth({ check: null, passive: { ...passive, ...more } });

/** A word for each result: g is good, b is bad; in capitals where the health has changed. */
function results(health: ServerHealth, series: string): string {
  return [...series]
    .map((each, at) => (health.checked(each === "g" ? null : "fault", at) ? each.toUpperCase() : each))
    .join("");
}

test("the first check decides; after it, fall bad ones in a row take a server out, and rise good ones bring it back", () => {
  expect(results(checked(1, 1), "gbgb")).toBe("GBGB");
  expect(results(checked(2, 3), "gbbgbbbggbg")).toBe("GbbgbbBgGbg");
  expect(results(checked(3, 3), "bggbggg")).toBe("BggbggG");
  expect(results(checked(1, 1000), "b")).toBe("B");
});

test("dials that fail within the window take a server out, and older ones do not count", () => {
  const health = unchecked({ failures: 3 });
  expect(health.connected("refused", 2, 0)).toBe(false);
  expect(health.connected("timeout", 1, 1000)).toBe(false);
  expect(health.connected("refused", 1, 1100)).toBe(false);
  expect(health.connected("reset", 1, 1200)).toBe(true);
  expect(health).toMatchObject({ health: "down", cause: "dials", reason: "reset" });
  expect(unchecked().connected("certificate", 1, 0)).toBe(true);
  // One message may tell of a crowd.
  expect(unchecked({ failures: 3 }).connected("refused", 900, 0)).toBe(true);
});

test("clients in a row that get no answer take a server out; one that does begins the row anew", () => {
  const health = unchecked();
  expect(health.connected("closed", 2, 0)).toBe(false);
  expect(health.connected("answered", 1, 1)).toBe(false);
  expect(health.connected("silent", 2, 2)).toBe(false);
  expect(health.connected("closed", 1, 3)).toBe(true);
  expect(health).toMatchObject({ health: "down", cause: "clients" });
});

test("nothing that Sluice itself lacks counts against a server, and 0 turns a count off", () => {
  const health = unchecked();
  for (const shortage of ["descriptors", "local-ports", "source-addresses"] as const)
    expect(health.connected(shortage, 100, 0)).toBe(false);
  const off = unchecked({ failures: 0, unanswered: 0 });
  for (const outcome of ["refused", "closed", "silent"] as const) expect(off.connected(outcome, 100, 0)).toBe(false);
  expect([health.health, off.health]).toEqual(["unknown", "unknown"]);
});

test("a server that nobody checks is back with the first dial that works, or with a client that it has answered", () => {
  const [dialled, answering] = [unchecked(), unchecked()];
  for (const health of [dialled, answering]) health.connected("refused", 1, 0);
  expect(dialled.checked("nothing listens there", 100)).toBe(false);
  expect(dialled.checked(null, 200)).toBe(true);
  expect(answering.connected("answered", 1, 10)).toBe(true);
  expect([dialled.health, answering.health]).toEqual(["up", "up"]);
});

test("the time that a server is left alone doubles while it comes back and answers nobody, up to five minutes, and begins anew when it does", () => {
  const health = new ServerHealth({ check: null, passive: DEFAULT_PASSIVE });
  const waits: number[] = [];
  let now = 0;
  const fail = () => {
    expect(health.connected("closed", 3, now)).toBe(true);
    waits.push(health.coolDownMs / 1000);
    now += health.coolDownMs;
    expect(health.checked(null, now)).toBe(true);
  };
  for (let time = 0; time < 8; time++) fail();
  health.connected("answered", 1, now);
  fail();
  expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300, 300, 10]);
  // In use for so long, it has answered, though nobody has told.
  fail();
  now += 301_000;
  fail();
  expect(waits.slice(-2)).toEqual([20, 10]);
});

test("what clients have seen a check does not see: until coolDown is over its good word counts for nothing", () => {
  const health = checked(2, 1);
  health.checked(null, 0);
  health.connected("silent", 3, 10);
  expect([20, 60, 109].map((at) => health.checked(null, at))).toEqual([false, false, false]);
  expect([110, 111].map((at) => health.checked(null, at))).toEqual([false, true]);
  // A refused dial is what a check sees too.
  health.connected("answered", 1, 112);
  health.connected("refused", 1, 200);
  expect([201, 202].map((at) => health.checked(null, at))).toEqual([false, true]);
});

test("a client's answer does not bring back what checks have taken out", () => {
  const health = checked(2, 1);
  health.checked("fault", 0);
  expect(health.connected("answered", 1, 1)).toBe(false);
  expect(health.health).toBe("down");
});

test("other rules leave what is known", () => {
  const health = checked(1, 1);
  health.checked("fault", 0);
  health.rules = { check: null, passive };
  expect(health.health).toBe("down");
  expect(health.checked(null, 1)).toBe(true);
});
