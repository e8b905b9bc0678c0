// A file is watched also where a directory above it may be passed through and not listed, and in a directory that has replaced another.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PathWatch } from "../../../src/system/watch.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../../support/tools.ts";

test("a directory that is removed and made anew at once is watched, although it has the inode of the former one", async () => {
  const directory = join(temporaryDirectory(), "d");
  mkdirSync(directory);
  let calls = 0;
  const watch = new PathWatch(() => void calls++);
  const set = () => watch.set([], [directory], Date.now());
  set();
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  await waitFor("the change", () => calls > 0);
  set();
  // What is on its way has come.
  await Bun.sleep(200);
  calls = 0;
  writeFileSync(join(directory, "a"), "");
  await waitFor("the file in the new one", () => calls > 0, 5000);
  watch.close();
});

test("a directory above that may not be listed is no reason to watch nothing", async () => {
  // Not below TMPDIR, which may be closed to others.
  const directory = mkdtempSync("/tmp/sluice-test-");
  cleanup(() => rmSync(directory, { recursive: true, force: true }));
  const below = join(directory, "below");
  mkdirSync(below);
  writeFileSync(join(below, "a.yml"), "1");
  chmodSync(below, 0o777);
  chmodSync(directory, 0o711);
  const module = join(import.meta.dir, "../../../src/system/watch.ts");
  // Root may read everything, so somebody else watches. It owns neither directory.
  const script = `const { PathWatch } = await import(${JSON.stringify(module)});
    const { writeFileSync } = await import("node:fs");
    if (process.getuid() === 0) process.setuid(65534);
    const file = ${JSON.stringify(join(below, "b.yml"))};
    await new Promise((changed) => {
      new PathWatch(changed).set([file], [], Date.now());
      writeFileSync(file, "1");
    });
    console.log("changed");
    process.exit(0);`;
  const { stdout, stderr } = await exec(["timeout", "20", process.execPath, "-e", script]);
  expect([stdout.trim(), stderr]).toEqual(["changed", ""]);
});
