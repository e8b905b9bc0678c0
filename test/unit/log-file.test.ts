// A log that goes into a regular file has every line, whole, in order, also those that were waiting at the exit.

import { expect, test } from "bun:test";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/tools.ts";

test("every line reaches a regular file, also those that wait when the process exits", async () => {
  const file = join(temporaryDirectory(), "log");
  const program = `import { createLog } from "${join(import.meta.dir, "../../src/observe/log.ts")}";
const { logger } = createLog("info", "json", "test");
for (let i = 0; i < 1000; i++) logger.info({ i, text: "x".repeat(300) }, "line");
process.exit(0);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", openSync(file, "a"), "pipe"] });
  expect(await new Response(child.stderr).text()).toBe("");
  expect(await child.exited).toBe(0);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
});
