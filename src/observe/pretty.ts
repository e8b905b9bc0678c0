// Lines of the log for people: time, level, message, and what else there is behind it.

import { json, shown } from "./line-fields.ts";
import type { FormatLine, Level } from "./logger.ts";

/** SGR numbers: what begins a colour and what ends it. */
const LEVEL_COLOURS: Readonly<Record<Level, readonly [number, number]>> = {
  trace: [90, 39],
  debug: [34, 39],
  info: [32, 39],
  warn: [33, 39],
  error: [31, 39],
  fatal: [41, 49],
};
const CYAN = [36, 39] as const;
const GREY = [90, 39] as const;

/** A code stands behind the message, as `check` shows it. An error follows on lines of its own. */
export function prettyLines(hasColours: boolean): FormatLine {
  const paint = (text: string, [begin, end]: readonly [number, number]) =>
    hasColours && text !== "" ? `\x1b[${begin}m${text}\x1b[${end}m` : text;
  return (level, at, fields, message) => {
    const { code, err, ...rest } = shown(fields);
    const text = code === undefined ? message : `${message} [${code}]`;
    const others = json(rest) ?? "{}";
    const facts = others === "{}" ? "" : ` ${paint(others.replaceAll("\\\\", "\\"), GREY)}`;
    const start = `[${localTime(new Date(at))}] ${paint(level.toUpperCase(), LEVEL_COLOURS[level])}`;
    return `${start}: ${paint(text, CYAN)}${facts}\n${err === undefined ? "" : errorLines(err)}`;
  };
}

function localTime(date: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const INDENT = "    ";

/** Its stack is not one long text but lines; what could change the terminal is taken out of it. */
function errorLines(error: unknown): string {
  // By way of a text that is sound: with an indent, JSON.stringify takes half a minute to find a circle.
  const lines = JSON.stringify(JSON.parse(json(error) ?? "null"), null, 2).split("\n");
  const shownLines = lines.map((line) => {
    const [, name, text] = /^( *"stack":) (".*"),?$/.exec(line) ?? [];
    if (name === undefined) return line;
    const stack = (JSON.parse(text!) as string).replace(/[^\P{Cc}\t\n]/gu, "");
    return [name, ...stack.split("\n").map((each) => `${INDENT}  ${each}`)].join(`\n${INDENT}`);
  });
  return `${INDENT}err: ${shownLines.join(`\n${INDENT}`)}\n`;
}
