// Logs: pino, JSON for collectors or one readable line for people, on standard output or in a file.

import pino, { type Logger } from "pino";
import { prettyFactory } from "pino-pretty";
import { Output } from "./output.ts";

export type LogFormat = "common" | "json";

export interface LogSettings {
  /** Traefik's word in lower case. */
  readonly level: string;
  readonly format: LogFormat;
  /** A file that is appended to; without it, standard output. */
  readonly filePath?: string | undefined;
}

export interface Log {
  readonly logger: Logger;
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
}

/**
 * `role` tells master and workers apart in every line. `onFault` is told once when lines cannot be written any more; nothing of the log
 * ever waits or throws.
 */
export function createLog(settings: LogSettings, role: string, onFault: (message: string) => void = () => {}): Log {
  const { format, filePath } = settings;
  const output: Output = new Output(filePath === undefined ? { fd: 1 } : { path: filePath }, {
    onFault,
    onRecovered: (lost) => {
      if (lost > 0) logger.warn({ lost }, "log lines were dropped, because they could not be written");
    },
  });
  const options = {
    level: settings.level === "panic" ? "fatal" : settings.level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, format === "json" ? output : { write: forPeople(output, filePath === undefined) });
  return {
    logger,
    format,
    role,
    write: (line) => output.write(line),
    dropped: () => output.dropped,
    flush: () => output.flush(),
    reopen: () => output.reopen(),
  };
}

function forPeople(output: Output, isTerminal: boolean): (line: string) => void {
  const pretty = prettyFactory({
    colorize: isTerminal && process.stdout.isTTY === true,
    singleLine: true,
    ignore: "role,code",
    messageFormat: ({ msg, code }) => `${msg ?? ""}${code === undefined ? "" : ` [${code}]`}`, // as `check` shows it
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss",
  });
  return (line) => output.write(pretty(line));
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
