// Lines of the log as JSON, with the methods of a logger. Our own, because the usual one takes 3 MB in each process that loads it, and
// its form for people 3 MB more; tests hold every line to what those write.

import { type Fields, json, shown } from "./line-fields.ts";

/** From the least to the most urgent. */
export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export type Level = (typeof LEVELS)[number];

/** A finished line for each call. `error` and `fatal` are for what somebody has to do something about. */
export interface LogMethod {
  (message: string): void;
  (fields: Fields, message: string): void;
}

export type Logger = Readonly<Record<Level, LogMethod>>;

/** What a line is made of. `at`: milliseconds since the epoch. */
export type FormatLine = (level: Level, at: number, fields: Fields, message: string) => string;

/** Says what is at least as urgent as `least`; the rest costs a call. */
export function createLogger(least: Level, format: FormatLine, write: (line: string) => void): Logger {
  const nothing = () => {};
  const methods = LEVELS.map((level, index) => {
    const method = (first: Fields | string, message = "") =>
      write(
        typeof first === "string"
          ? format(level, Date.now(), NO_FIELDS, first)
          : format(level, Date.now(), first, message),
      );
    return [level, index < LEVELS.indexOf(least) ? nothing : method];
  });
  return Object.fromEntries(methods);
}

const NO_FIELDS: Fields = {};

/** One line of JSON for programs. */
export function jsonLines(role: string): FormatLine {
  const own = `,"role":${JSON.stringify(role)}`;
  return (level, at, fields, message) => {
    let line = `{"level":"${level}","time":"${new Date(at).toISOString()}"${own}`;
    for (const [name, value] of Object.entries(shown(fields))) {
      const text = json(value);
      if (text !== undefined) line += `,${JSON.stringify(name)}:${text}`;
    }
    return `${line},"msg":${JSON.stringify(message)}}\n`;
  };
}
