// Of the programs that share a storage file one at a time has its turn, and one that dies holding it does not stop the others.

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../../../src/acme/lock.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

const QUICK = { staleMs: 400, renewMs: 50, pollMs: 5 };
const MODULE = join(import.meta.dir, "../../../src/acme/lock.ts");

test("turns of several programs never overlap, and each gets its own", async () => {
  const directory = temporaryDirectory();
  const file = join(directory, "acme.json");
  // Each adds a line at the beginning and the end of its turn.
  const program = `import { appendFileSync } from "node:fs"; import { FileLock } from "${MODULE}";
const lock = new FileLock(${JSON.stringify(file)}, ${JSON.stringify(QUICK)});
for (let i = 0; i < 10; i++) await lock.during(async () => {
  appendFileSync(${JSON.stringify(join(directory, "turns"))}, "in " + process.pid + "\\n");
  await new Promise((next) => setTimeout(next, 1));
  appendFileSync(${JSON.stringify(join(directory, "turns"))}, "out " + process.pid + "\\n");
});`;
  const children = Array.from({ length: 4 }, () => Bun.spawn([process.execPath, "-e", program], { stderr: "inherit" }));
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0]);
  const lines = readFileSync(join(directory, "turns"), "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(80);
  for (let i = 0; i < lines.length; i += 2) {
    expect(lines[i]).toStartWith("in ");
    expect(lines[i + 1]).toBe(lines[i]!.replace("in", "out"));
  }
  expect(readdirSync(directory)).toEqual(["turns"]);
});

test("a lock whose holder was killed is taken over, and one that is renewed is not", async () => {
  const file = join(temporaryDirectory(), "acme.json");
  const program = `import { FileLock } from "${MODULE}";
await new FileLock(${JSON.stringify(file)}, ${JSON.stringify(QUICK)}).during(() => new Promise(() => {}));`;
  const child = Bun.spawn([process.execPath, "-e", program]);
  await waitFor("the lock to be held", () => existsSync(`${file}.lock`) || null);
  let mine = false;
  const turn = new FileLock(file, QUICK).during(async () => void (mine = true));
  // Longer than a lock lasts without being renewed.
  const until = performance.now() + QUICK.staleMs * 2;
  await waitFor("the time to pass", () => performance.now() > until || null);
  expect(mine).toBe(false);
  child.kill("SIGKILL");
  await turn;
  expect(mine).toBe(true);
  expect(existsSync(`${file}.lock`)).toBe(false);
});

test("what the work throws comes out, and the lock is free", async () => {
  const file = join(temporaryDirectory(), "acme.json");
  const lock = new FileLock(file, QUICK);
  expect(lock.during(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await lock.during(async () => {});
  expect(existsSync(`${file}.lock`)).toBe(false);
});

test("a lock that another has taken over meanwhile is left to it", async () => {
  const file = join(temporaryDirectory(), "acme.json");
  await new FileLock(file, QUICK).during(async () => writeFileSync(`${file}.lock`, "another's"));
  expect(readFileSync(`${file}.lock`, "utf8")).toBe("another's");
});

test("a directory that is not there is an error at once", () => {
  const file = join(temporaryDirectory(), "nowhere", "acme.json");
  expect(new FileLock(file, QUICK).during(async () => {})).rejects.toThrow("ENOENT");
});
