// What comes first on a connection may be anything: a million broken CONNECTs and a million broken PROXY headers, each read as a second,
// plainer reader has it. Nothing throws, nothing is taken wrongly, and nothing stays.

import { expect, test } from "bun:test";
import { type Tried, tryHostileConnects, tryHostileProxyHeaders } from "../support/hostile-packets.ts";

const ROUNDS = 1_000_000;
const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20260816);
/** A byte that stays of each would be 0.9 MB. */
const GROWTH = 512 * 1024;

function report({ outcomes, growth }: Tried): void {
  console.log(`seed ${seed}, heap ${growth} bytes more, ${JSON.stringify(Object.fromEntries(outcomes))}`);
}

test("a million broken CONNECTs", () => {
  const tried = tryHostileConnects(ROUNDS, seed);
  report(tried);
  for (const outcome of [
    "ok",
    "more",
    "malformed",
    "protocol-error",
    "unsupported-version",
    "too-large",
    "http",
    "unknown",
  ])
    expect(tried.outcomes.get(outcome)).toBeGreaterThan(100);
  expect(tried.details.size).toBeLessThan(120);
  expect(tried.growth).toBeLessThan(GROWTH);
}, 120_000);

test("a million broken PROXY headers", () => {
  const tried = tryHostileProxyHeaders(ROUNDS, seed);
  report(tried);
  for (const outcome of ["ok", "bad", "more", "none"]) expect(tried.outcomes.get(outcome)).toBeGreaterThan(1000);
  expect(tried.growth).toBeLessThan(GROWTH);
}, 120_000);
