// Logs: pino, JSON for collectors or one readable line for people, on standard output.
//
// Writing never waits for a reader: lines go into a bounded buffer and a thread of the runtime writes them out. If nobody reads, the
// buffer fills, further lines are dropped and counted, and traffic goes on.

import { fstatSync } from "node:fs";
import pino, { type Logger } from "pino";
import pretty from "pino-pretty";
import { SonicBoom } from "sonic-boom";

export type LogFormat = "common" | "json";

/** Characters that wait for a slow reader before lines are dropped. */
const MAX_WAITING = 1024 * 1024;
/** A write of at most PIPE_BUF (4096) bytes to a pipe is atomic (pipe(7)), so lines of several processes never mix; the room is for UTF-8. */
const MAX_WRITE = 3500;
/** Characters gathered before they are written: handing a line to the writing thread costs more than making it (measured: 19 % of a handshake). */
const MIN_WRITE = 3000;
/** The same for a regular file, where writes of processes that share its offset never mix, whatever their size. */
const MAX_FILE_WRITE = 16_384;
const MIN_FILE_WRITE = 16_000;
/** No line waits longer than this for others to go with it. */
const LATEST_WRITE_MS = 100;
/** How long the last lines may take to get out at exit. */
const FLUSH_MS = 500;

export interface Log {
  readonly logger: Logger;
  readonly format: LogFormat;
  readonly role: string;
  /** Writes a finished line, its line feed included, among those of the logger. */
  write(line: string): void;
  /** Lines dropped so far because standard output was not read. */
  dropped(): number;
  /** Waits for the last lines, but not long. */
  flush(): Promise<void>;
}

/** `level` is Traefik's word in lower case. `role` tells master and workers apart in every line. */
export function createLog(level: string, format: LogFormat, role: string): Log {
  let dropped = 0;
  // Nobody can stall a regular file, so there the thread and its wake-ups are saved.
  const isFile = fstatSync(1).isFile();
  // Not pino.destination: that one writes out what is left when the process exits, and would wait for the reader for ever.
  const output = new SonicBoom({
    fd: 1,
    sync: isFile,
    maxLength: MAX_WAITING,
    maxWrite: isFile ? MAX_FILE_WRITE : MAX_WRITE,
    minLength: isFile ? MIN_FILE_WRITE : MIN_WRITE,
    periodicFlush: LATEST_WRITE_MS,
  });
  output.on("drop", () => dropped++);
  let isClosed = false;
  output.on("error", () => {
    dropped++;
    isClosed = true; // a pipe: nobody will ever read these lines
  });
  if (isFile) process.on("exit", () => output.flushSync());
  const options = {
    level: level === "panic" ? "fatal" : level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const stream =
    format === "json"
      ? output
      : pretty({
          colorize: process.stdout.isTTY === true,
          singleLine: true,
          ignore: "role,code",
          messageFormat: ({ msg, code }) => `${msg ?? ""}${code === undefined ? "" : ` [${code}]`}`, // as `check` shows it
          translateTime: "SYS:HH:MM:ss",
          destination: output,
        });
  return {
    logger: pino(options, stream),
    format,
    role,
    write: (line) => output.write(line),
    dropped: () => dropped,
    flush: () =>
      new Promise((done) => {
        let isLate = false;
        const timer = setTimeout(() => {
          isLate = true;
          done();
        }, FLUSH_MS);
        const finished = () => {
          clearTimeout(timer);
          done();
        };
        // One flush of SonicBoom is done after one write, though what waits may take many.
        const next = (): void => {
          if (isLate) return;
          if (isClosed || waitingIn(output) === 0) return finished();
          try {
            output.flush(next);
          } catch {
            finished();
          }
        };
        next();
      }),
  };
}

/** Characters that are not written yet; 0 where a SonicBoom does not say. */
function waitingIn(output: SonicBoom): number {
  return (output as unknown as { readonly _len?: number })._len ?? 0;
}

/** What the configuration leaves open: people read terminals, collectors read pipes. */
export function defaultFormat(): LogFormat {
  return process.stdout.isTTY ? "common" : "json";
}
