// Which connections get a line: as in Traefik, one that any of the filters keeps.

import { expect, test } from "bun:test";
import { ACCESS_REASONS } from "../../../src/config/access-log.ts";
import { BAN_REASONS } from "../../../src/config/ban.ts";
import { filterOf } from "../../../src/observe/access-filter.ts";
import type { Reason } from "../../../src/proxy/reasons.ts";

/** A reason that the configuration does not know makes this a type error. */
type Unknown = Exclude<Reason, (typeof ACCESS_REASONS)[number]>;
const knowsEveryReason: [Unknown] extends [never] ? true : Unknown = true;
type Invented = Exclude<(typeof ACCESS_REASONS)[number], Reason>;
const inventsNone: [Invented] extends [never] ? true : Invented = true;

test("the configuration knows every reason and no other", () => {
  expect(knowsEveryReason && inventsNone).toBe(true);
  expect(new Set(ACCESS_REASONS).size).toBe(ACCESS_REASONS.length);
});

test("without a filter, or with one that says nothing, every connection is kept", () => {
  expect(filterOf(undefined)).toBeNull();
  expect(filterOf({ reasons: [] })).toBeNull();
});

test.each([
  [{ reasons: ["http"] }, "http", 0, true],
  [{ reasons: ["http"] }, "client-gone", 1e9, false],
  [{ reasons: ["!http"] }, "http", 1e9, false],
  [{ reasons: ["!http"] }, "client-gone", 0, true],
  [{ reasons: ["http", "no-route", "!http"] }, "http", 0, false],
  [{ reasons: ["http", "no-route", "!http"] }, "no-route", 0, true],
  [{ reasons: [], minDuration: 1000 }, "http", 999, false],
  [{ reasons: [], minDuration: 1000 }, "http", 1000, true],
  [{ reasons: ["!client-gone"], minDuration: 1000 }, "client-gone", 1000, true],
  [{ reasons: ["!client-gone"], minDuration: 1000 }, "client-gone", 1, false],
  [{ reasons: ["!client-gone"], minDuration: 1000 }, "http", 1, true],
] as const)("%j with %s after %i ms: %j", (filters, reason, durationMs, kept) => {
  expect(filterOf(filters)!(reason, durationMs)).toBe(kept);
});

test("every reason that can ban is one of them", () => {
  const known: readonly string[] = ACCESS_REASONS;
  expect(BAN_REASONS.filter((reason) => !known.includes(reason))).toEqual([]);
});
