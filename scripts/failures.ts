// Says again at the end of a test run what failed in it: who sees only the last lines of a log, as a CI keeps them, sees that.
//
//   bun scripts/failures.ts REPORT
//
// REPORT is what `bun test` has printed. Names come first, with their file, then what went wrong; both are cut off at a bound.

import { readFileSync } from "node:fs";

/** A log of the CI keeps some 160 lines, for all steps together. */
const LIMITS = { names: 25, errors: 35, lineOfError: 10, characters: 200 };

interface FileReport {
  readonly failed: string[];
  readonly errors: string[][];
}

const isStart = (line: string) => /^(error|\w*Error|\w*Exception): /.test(line);
const isEnd = (line: string) => /^(\(\w+\) |-{10,}|\S+\.test\.ts:$)/.test(line);

const files = new Map<string, FileReport>();
const lines = readFileSync(process.argv[2]!, "utf8").split("\n");
let file = "no file";
for (const [index, line] of lines.entries()) {
  // A file's lines come in pieces where several run at a time.
  file = /^(\S+\.test\.ts):$/.exec(line)?.[1] ?? file;
  // Bun's own list, without files.
  if (/^\d+ tests failed:$/.test(line)) file = "";
  const report = files.get(file) ?? { failed: [], errors: [] };
  files.set(file, report);
  const [, failed] = /^(?:\(fail\)|✗|#) (.*)/.exec(line) ?? [];
  if (failed !== undefined && (!line.startsWith("#") || line.includes("Unhandled error"))) report.failed.push(failed);
  if (!isStart(line)) continue;
  // The line of the test that it is about, and the caret below it, come before.
  const from = /^\s*\^/.test(lines[index - 1] ?? "") ? index - 2 : index;
  const length = lines.slice(index).findIndex(isEnd);
  const until = Math.min(length < 0 ? lines.length : index + length, from + LIMITS.lineOfError);
  report.errors.push(lines.slice(from, until).filter((each) => each.trim() !== ""));
}
files.delete("");

function print(what: readonly string[], limit: number): void {
  for (const line of what.slice(0, limit)) console.log(line.slice(0, LIMITS.characters));
  if (what.length > limit) console.log(`... and ${what.length - limit} lines more`);
}
const broken = [...files].filter(([, { failed }]) => failed.length > 0);
print(
  broken.flatMap(([name, { failed }]) => failed.map((each) => `${name}: ${each}`)),
  LIMITS.names,
);
print(
  broken.flatMap(([name, { errors }]) => (errors.length === 0 ? [] : [`-- ${name}`, ...errors.flat()])),
  LIMITS.errors,
);
// Bun has crashed: what it said last.
if (broken.length === 0) print(lines.filter((line) => line !== "").slice(-LIMITS.lineOfError), LIMITS.lineOfError);
