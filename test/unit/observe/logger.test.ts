// Lines of the log are what pino and pino-pretty make of the same, to the letter.

import { describe, expect, test } from "bun:test";
import pino from "pino";
import { prettyFactory } from "pino-pretty";
import type { Fields } from "../../../src/observe/line-fields.ts";
import { createLogger, jsonLines, LEVELS, type Level } from "../../../src/observe/logger.ts";
import { prettyLines } from "../../../src/observe/pretty.ts";

/** What pino makes of it, told the time. */
function byPino(level: Level, at: number, fields: Fields, message: string): string {
  let line = "";
  const options = {
    level: "trace",
    base: { role: "master" },
    timestamp: () => `,"time":"${new Date(at).toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  pino(options, { write: (text) => void (line = text) })[level](fields, message);
  return line;
}

const byPretty = (colorize: boolean) =>
  prettyFactory({
    colorize,
    singleLine: true,
    errorLikeObjectKeys: ["err"],
    ignore: "role,code",
    messageFormat: ({ msg, code }) => `${msg ?? ""}${code === undefined ? "" : ` [${code}]`}`,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss",
  });

const AT = Date.UTC(2026, 1, 3, 4, 5, 6, 78);

function withCause(): Error {
  const error = new Error("outer", { cause: new TypeError("inner", { cause: new Error("root") }) });
  return Object.assign(error, { code: "EODD", errno: 7, nested: { a: [1, "x"] } });
}

function inCircle(): Error {
  const error = new Error("outer");
  error.cause = new Error("inner", { cause: error });
  return error;
}

const SAMPLES: Readonly<Record<string, readonly [Fields, string]>> = {
  "nothing but a message": [{}, "stopped"],
  "fields of every kind": [
    { n: 1, float: 1.5, text: "x", yes: true, no: null, gone: undefined, list: [1, "b"], map: { a: { b: 1 } } },
    "a message",
  ],
  "numbers that JSON does not have": [{ a: Number.NaN, b: Number.POSITIVE_INFINITY }, "odd"],
  "what has to be escaped": [{ text: '"\\\n\u0000\u001f\ud800ü€\u2028', 'odd"key': "c:\\d" }, 'a "b" \\ c\n€\ud800'],
  "a long text": [{ text: `${"x".repeat(200)}"` }, "y\\".repeat(200)],
  "a function": [{ a: () => 1, b: 1 }, "m"],
  "a date": [{ at: new Date(0) }, "m"],
  "a code": [{ code: "name-twice", n: 1 }, "a.yml:1:2: odd"],
  "a code alone": [{ code: "name-twice" }, "a.yml:1:2: odd"],
  "no message": [{ n: 1 }, ""],
  "an error": [{ err: new RangeError("boom") }, "a defect"],
  "an error beside other fields": [{ server: "b:1883", err: new Error('"quoted"\nline') }, "a defect"],
  "an error with causes and facts": [{ err: withCause() }, "a defect"],
  "an error without a stack": [{ err: Object.assign(new Error("m"), { stack: undefined }) }, "a defect"],
  "what was thrown is no error": [{ err: "text" }, "a defect"],
  "an object was thrown": [{ err: { a: 1, b: { c: 2 } } }, "a defect"],
  "an object was thrown that looks like an error": [{ err: { message: "m", a: 1 } }, "a defect"],
  "nothing was thrown": [{ err: null }, "a defect"],
  "a stack that could change the terminal": [
    { err: Object.assign(new Error("m"), { stack: "Error: m\n\x1b[31mred\u009b\tat x" }) },
    "a defect",
  ],
};

describe("as JSON", () => {
  for (const [what, [fields, message]] of Object.entries(SAMPLES))
    test(what, () => {
      for (const level of LEVELS)
        expect(jsonLines("master")(level, AT, fields, message)).toBe(byPino(level, AT, fields, message));
    });
});

for (const hasColours of [false, true])
  describe(hasColours ? "for people at a terminal" : "for people", () => {
    const pretty = byPretty(hasColours);
    for (const [what, [fields, message]] of Object.entries(SAMPLES))
      test(what, () => {
        for (const level of LEVELS)
          expect(prettyLines(hasColours)(level, AT, fields, message)).toBe(
            // It leaves a space at the end of a line that has nothing but an error below it.
            pretty(JSON.parse(byPino(level, AT, fields, message))).replace(" \n    err:", "\n    err:"),
          );
      });
  });

test("the name that a line is about stands in both forms", () => {
  const fields = { name: "broker.test", error: "ENOTFOUND" };
  expect(jsonLines("master")("warn", AT, fields, "m")).toBe(byPino("warn", AT, fields, "m"));
  // pino-pretty takes these two for its own, hides the one and gives the other a line of its own.
  expect(prettyLines(false)("warn", AT, fields, "m")).toEndWith(
    ' WARN: m {"name":"broker.test","error":"ENOTFOUND"}\n',
  );
});

test("what cannot be written does not cost the line", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const lines of [jsonLines("master"), prettyLines(false)]) {
    expect(lines("info", AT, { circle, big: 1n, n: 1 }, "said")).toMatch(/said/);
    expect(lines("error", AT, { err: inCircle() }, "said")).toMatch(/outer/);
    expect(lines("error", AT, { err: Object.assign(new Error("e"), { circle }) }, "said")).toMatch(/said/);
  }
});

test("what is less urgent than the level is not written", () => {
  const lines: string[] = [];
  const logger = createLogger("warn", jsonLines("master"), (line) => lines.push(line));
  for (const level of LEVELS) logger[level](`said as ${level}`);
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(["warn", "error", "fatal"]);
});
