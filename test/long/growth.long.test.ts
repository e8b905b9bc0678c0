// However long Sluice runs, nothing of what is over stays: the tests of test/serial with many more rounds.

import { expect, test } from "bun:test";
import { growthOverConnections, growthOverGarbage, growthOverReloads } from "../support/growth.ts";

test("memory does not grow over 20 000 connections", async () => {
  // One small object of each connection that is not let go would be a megabyte and more from one half to the other.
  expect(await growthOverConnections(2000, 9, 1000)).toBeLessThan(8 * 1024);
}, 180_000);

test("300 reloads of 300 routers with a connection in each leave no snapshot behind", async () => {
  // A snapshot of this size takes a worker about 300 kB: 270 of them would be 80 MB.
  expect(await growthOverReloads(300, 30, 270)).toBeLessThan(20 * 1024);
}, 400_000);

test("10 000 garbage connections leave descriptors at the baseline and memory within 20 MB of it", async () => {
  expect(await growthOverGarbage(10_000)).toBeLessThan(20 * 1024);
}, 120_000);
