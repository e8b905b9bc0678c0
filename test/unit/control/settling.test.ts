// A configuration is loaded when all workers have it.

import { expect, test } from "bun:test";
import { Settling } from "../../../src/control/settling.ts";

test("it is settled when the last one has it, and for all who wait", async () => {
  const versions = [1, 1];
  const settling = new Settling((version) => [...versions.keys()].filter((index) => versions[index]! < version));
  expect(await settling.settled(1, 10_000)).toBe(true);
  const said: string[] = [];
  const waiting = [settling.settled(2, 10_000), settling.settled(3, null)].map((each, at) =>
    each.then((areSettled) => said.push(`${at} ${areSettled}`)),
  );
  versions[0] = 3;
  settling.look();
  versions[1] = 2;
  settling.look();
  await waiting[0];
  expect(said).toEqual(["0 true"]);
  versions[1] = 3;
  settling.look();
  await waiting[1];
  expect(said).toEqual(["0 true", "1 true"]);
});

test("who has no more patience is told that it is not", async () => {
  expect(await new Settling(() => [0]).settled(1, 1)).toBe(false);
});
