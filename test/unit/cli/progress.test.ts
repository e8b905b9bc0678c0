// How far a long run is: drawn on a screen alone, and told now and then where there is none.

import { expect, test } from "bun:test";
import { progressOf } from "../../../src/cli/progress.ts";

test("without a screen there is a line in ten seconds at most, and none at the end", async () => {
  const said: string[] = [];
  let now = 0;
  const terminal = { log: () => {}, error: (text: string) => said.push(text), ask: null };
  const progress = await progressOf(terminal, "devices", 100, () => now);
  for (let done = 1; done <= 100; done++) {
    now += 250;
    progress.step();
  }
  progress.end();
  expect(said).toEqual(["40 of 100 devices", "80 of 100 devices"]);
});

test("a run that is fast says nothing", async () => {
  const said: string[] = [];
  const terminal = { log: () => {}, error: (text: string) => said.push(text), ask: null };
  const progress = await progressOf(terminal, "devices", 3, () => 0);
  for (let done = 0; done < 3; done++) progress.step();
  progress.end();
  expect(said).toEqual([]);
});
