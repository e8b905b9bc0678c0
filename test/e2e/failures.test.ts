// Of a run in which tests fail, the end of the log says which: a CI keeps no more of it.

import { expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const TESTS = {
  "unit/refuses": `
import { expect, test } from "bun:test";
test("one holds", () => {});
test("one does not", () => {
  expect("what came").toBe("what was wanted");
});`,
  "unit/crashes": `
import { test } from "bun:test";
test("one ends it all", () => process.kill(process.pid, "SIGKILL"));`,
  "unit/holds": `
import { test } from "bun:test";
test("another holds", () => console.error("error: said by what holds"));`,
  "serial/many": `
import { expect, test } from "bun:test";
for (let i = 0; i < 100; i++) test(\`number \${i}\`, () => expect(i).toBe(-1));`,
  "long/missing": `
await import("./nowhere.ts");`,
};

/** A project with those tests, whose `npm` knows what .ci/run calls. */
function project(tests: Readonly<Record<string, string>>): { directory: string; env: Record<string, string> } {
  const directory = temporaryDirectory();
  for (const name of ["scripts/run-tests", "scripts/failures.ts", ".ci/run"]) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    cpSync(join(ROOT, name), join(directory, name));
  }
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  for (const folder of ["unit", "serial", "long"]) mkdirSync(join(directory, "test", folder), { recursive: true });
  for (const [name, text] of Object.entries(tests)) writeFileSync(join(directory, `test/${name}.test.ts`), text);
  const npm = join(directory, "npm");
  writeFileSync(
    npm,
    `#!/bin/sh
case "$*" in
  test) exec scripts/run-tests test/unit test/serial ;;
  "run test:long") exec scripts/run-tests test/long ;;
  "run lint") echo "a formatter would have it otherwise" && exit 1 ;;
esac
`,
  );
  chmodSync(npm, 0o755);
  return { directory, env: { PATH: `${directory}:${process.env.PATH}` } };
}

test("their names and what went wrong stand before the last line, within what a CI keeps", async () => {
  const { directory, env } = project(TESTS);
  const { code, stdout } = await exec([join(directory, ".ci/run")], { env });
  expect(code).toBe(1);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.at(-1)).toBe("3 passed, 105 failed");
  const end = lines.slice(-160);
  const said = end.slice(end.indexOf("== npm test failed"));
  const text = said.join("\n");
  expect(said[0]).toBe("== npm test failed");
  expect(text).toContain("test/unit/refuses.test.ts: one does not");
  expect(text).toContain('-- test/unit/refuses.test.ts\n5 |   expect("what came")');
  expect(text).toContain('Expected: "what was wanted"\nReceived: "what came"');
  expect(text).toContain("test/unit/crashes.test.ts (worker crashed: SIGKILL)");
  expect(text).toContain("test/serial/many.test.ts: number 3");
  expect(text).toContain("lines more");
  expect(text).not.toContain("hold");
  expect(text).toContain("== npm run test:long failed\ntest/long/missing.test.ts: Unhandled error between tests");
  expect(text).toContain("error: Cannot find module './nowhere.ts'");
  expect(text).toContain("== npm run lint failed\na formatter would have it otherwise");
});

test("nothing is said where nothing fails", async () => {
  const { directory, env } = project({ "unit/holds": TESTS["unit/holds"] });
  const { code, stdout } = await exec([join(directory, "scripts/run-tests"), "test/unit"], { env });
  expect(stdout).not.toContain("failed:");
  expect({ code, last: stdout.trimEnd().split("\n").at(-1) }).toEqual({ code: 0, last: "1 passed, 0 failed" });
});
