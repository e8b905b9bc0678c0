// Logs: JSON for collectors or one readable line for people, on standard output or in a file.

import { shown } from "./line-fields.ts";
import { createLogger, type FormatLine, jsonLines, type Level, type Logger } from "./logger.ts";
import { Output } from "./output.ts";
import { prettyLines } from "./pretty.ts";

export type LogFormat = "common" | "json";

export interface LogSettings {
  /** Traefik's word in lower case. */
  readonly level: Level | "panic";
  readonly format: LogFormat;
  /** A file that is appended to; without it, standard output. */
  readonly filePath?: string | undefined;
}

export interface Log {
  readonly logger: Logger;
  /** The same for what is written whatever the level is. */
  readonly always: Logger;
  readonly format: LogFormat;
  readonly role: string;
  /** Writes a finished line, its line feed included, among those of the logger. */
  write(line: string): void;
  /** Lines dropped so far because they could not be written out. */
  dropped(): number;
  /** Waits for the last lines, but not long. */
  flush(): Promise<void>;
  /** Opens its file anew. */
  reopen(): void;
  /** What is less urgent is not written from now on. */
  setLevel(level: LogSettings["level"]): void;
}

/**
 * `role` tells master and workers apart in every line. `onFault` is told once when lines cannot be written any more; nothing of the log
 * ever waits or throws. `onEvent` hears what is said that is not for debugging, whatever the level is.
 */
export function createLog(
  settings: LogSettings,
  role: string,
  onFault: (message: string) => void = () => {},
  onEvent: ((...event: Parameters<FormatLine>) => void) | null = null,
): Log {
  const { level, format, filePath } = settings;
  const output: Output = new Output(filePath === undefined ? { fd: 1 } : { path: filePath }, {
    onFault,
    onRecovered: (lost) => {
      if (lost > 0) logger.warn({ lost }, "log lines were dropped, because they could not be written");
    },
  });
  const isTerminal = filePath === undefined && process.stdout.isTTY === true;
  const lines = format === "json" ? jsonLines(role) : prettyLines(isTerminal);
  const write = (line: string) => output.write(line);
  const loggerOf = (least: LogSettings["level"]) => {
    const made = createLogger(least === "panic" ? "fatal" : least, lines, write);
    return onEvent === null ? made : heard(made, onEvent);
  };
  const logger = { ...loggerOf(level) };
  return {
    logger,
    always: createLogger("trace", lines, write),
    format,
    role,
    write,
    dropped: () => output.dropped,
    flush: () => output.flush(),
    reopen: () => output.reopen(),
    // Everybody keeps the logger that he has been given.
    setLevel: (least) => void Object.assign(logger, loggerOf(least)),
  };
}

/** The same logger, with somebody who listens. */
function heard(logger: Logger, onEvent: (...event: Parameters<FormatLine>) => void): Logger {
  const EVENTS = ["info", "warn", "error", "fatal"] as const;
  const methods = EVENTS.map((level) => {
    const method = (first: object | string, message = "") => {
      if (typeof first === "string") onEvent(level, Date.now(), {}, first);
      else onEvent(level, Date.now(), shown(first), message);
      (logger[level] as (first: object | string, message?: string) => void)(first, message);
    };
    return [level, method];
  });
  return { ...logger, ...Object.fromEntries(methods) };
}

/** What the configuration leaves open: people read terminals, collectors read pipes and files. */
export function formatOf({
  format,
  filePath,
}: {
  format?: LogFormat | undefined;
  filePath?: string | undefined;
}): LogFormat {
  return format ?? (filePath === undefined && process.stdout.isTTY ? "common" : "json");
}
