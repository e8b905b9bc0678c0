// Polling watches what it was told last, and nothing after it is closed.

import { expect, test } from "bun:test";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PollWatch } from "../../../src/system/poll-watch.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

const INTERVAL = 50;

test("what was watched before is let go, also when the watch is replaced or closed before it was ready", async () => {
  const directory = temporaryDirectory();
  const [first, second] = [join(directory, "first"), join(directory, "second")];
  writeFileSync(first, "1");
  writeFileSync(second, "1");
  const many = join(directory, "many");
  mkdirSync(many);
  for (let index = 0; index < 200; index++) writeFileSync(join(many, `${index}`), "");
  let calls = 0;
  const watch = new PollWatch(() => void calls++, INTERVAL);
  watch.set([first], [], Date.now());
  await waitFor("the first to be watched", () => {
    appendFileSync(first, "2");
    return calls > 0;
  });
  // The one with many paths is replaced before it is ready.
  watch.set([], [many], Date.now());
  watch.set([second], [], Date.now());
  calls = 0;
  await waitFor("the second to be watched", () => {
    appendFileSync(second, "2");
    return calls > 0;
  });
  // Whatever was on its way has come.
  await Bun.sleep(INTERVAL * 4);
  calls = 0;
  appendFileSync(first, "3");
  await Bun.sleep(INTERVAL * 4);
  expect(calls).toBe(0);
  watch.set([first, second], [], Date.now());
  watch.close();
  appendFileSync(second, "3");
  await Bun.sleep(INTERVAL * 4);
  expect(calls).toBe(0);
});
