// However long Sluice runs, nothing of what is over stays: the tests of test/serial with many more rounds.

import { expect, test } from "bun:test";
import { growthOverConnections, growthOverGarbage, growthOverReloads } from "../support/growth.ts";

test("memory does not grow over 20 000 connections", async () => {
  // One small object of each connection that is not let go would be a megabyte and more from one half to the other.
  expect(await growthOverConnections(2000, 9, 1000)).toBeLessThan(8 * 1024);
}, 180_000);

test("1000 reloads with a connection in each leave no snapshot behind", async () => {
  // A snapshot of this size takes a worker about 100 kB: nine hundred of them would be 90 MB.
  expect(await growthOverReloads(100, 100, 900)).toBeLessThan(20 * 1024);
}, 400_000);

test("10 000 garbage connections leave descriptors at the baseline and memory within 20 MB of it", async () => {
  expect(await growthOverGarbage(10_000)).toBeLessThan(20 * 1024);
}, 120_000);
