// A log has every line, whole, in order, also those that were waiting at the exit: in a regular file, and in a pipe that is read.

import { expect, test } from "bun:test";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../support/tools.ts";

test("every line reaches a regular file once it is flushed", async () => {
  const file = join(temporaryDirectory(), "log");
  const program = `import { createLog } from "${join(import.meta.dir, "../../../src/observe/log.ts")}";
const { logger, flush } = createLog({ level: "info", format: "json" }, "test");
for (let i = 0; i < 1000; i++) logger.info({ i, text: "x".repeat(300) }, "line");
await flush();
process.exit(0);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", openSync(file, "a"), "pipe"] });
  expect(await new Response(child.stderr).text()).toBe("");
  expect(await child.exited).toBe(0);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
});

test("every line reaches a pipe once it is flushed, however many wait", async () => {
  const program = `import { createLog } from "${join(import.meta.dir, "../../../src/observe/log.ts")}";
const { logger, flush } = createLog({ level: "info", format: "json" }, "test");
for (let i = 0; i < 100; i++) logger.info({ i, text: "x".repeat(300) }, "line");
await flush();
process.exit(0);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", "pipe", "pipe"] });
  const lines = (await new Response(child.stdout).text()).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  expect(await new Response(child.stderr).text()).toBe("");
});

test("a flush of what nobody reads, or nobody will read any more, is given up", async () => {
  const program = `import { createLog } from "${join(import.meta.dir, "../../../src/observe/log.ts")}";
const { logger, flush } = createLog({ level: "info", format: "json" }, "test");
for (let i = 0; i < 1000; i++) logger.info({ i, text: "x".repeat(300) }, "line");
await flush();
process.exit(7);`;
  for (const reader of ["sleep 1", ":"]) {
    const child = Bun.spawn(["sh", "-c", `{ "$0" -e "$1"; echo $? >&2; } | ${reader}`, process.execPath, program], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    expect((await new Response(child.stderr).text()).trim()).toBe("7");
  }
});

test("the code of a line is a field for programs, and stands behind the message for people", async () => {
  const lineIn = async (format: string) => {
    const program = `import { createLog } from "${join(import.meta.dir, "../../../src/observe/log.ts")}";
const { logger, flush } = createLog({ level: "info", format: "${format}" }, "test");
logger.warn({ code: "name-twice" }, "a.yml:1:2: odd");
logger.info({ n: 1 }, "plain");
await flush();
process.exit(0);`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    return (await new Response(child.stdout).text()).trimEnd().split("\n");
  };
  const json = (await lineIn("json")).map((line) => JSON.parse(line));
  expect(json).toMatchObject([
    { code: "name-twice", msg: "a.yml:1:2: odd" },
    { n: 1, msg: "plain" },
  ]);
  const [coded, plain] = await lineIn("common");
  expect(coded).toEndWith("a.yml:1:2: odd [name-twice]");
  expect(plain).toEndWith('plain {"n":1}');
});
