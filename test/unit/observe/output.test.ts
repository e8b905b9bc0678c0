// What becomes of lines that nobody takes: the buffer is bounded, and each line that is dropped is counted.

import { expect, test } from "bun:test";
import { constants, createReadStream, openSync } from "node:fs";
import { join } from "node:path";
import { Output } from "../../../src/observe/output.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../../support/tools.ts";

test("every line that a slow reader has cost is counted, the first one too", async () => {
  const fifo = join(temporaryDirectory(), "fifo");
  expect((await exec(["mkfifo", fifo])).code).toBe(0);
  const faults: string[] = [];
  const lost: number[] = [];
  const output = new Output(
    { fd: openSync(fifo, constants.O_RDWR) },
    { onFault: (message) => void faults.push(message), onRecovered: (count) => void lost.push(count) },
  );
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 1025; i++) output.write(line);
  expect([output.dropped, faults.length]).toEqual([1, 1]);
  const reader = createReadStream(fifo).resume();
  cleanup(() => reader.destroy());
  await waitFor("the lines to be taken", () => lost.length > 0 || null);
  expect(lost).toEqual([1]);
});
