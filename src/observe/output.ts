// Lines on their way to standard output or to a file.
//
// Writing never waits: lines go into a bounded buffer, and a thread of the runtime writes them out, into a regular file too, because a
// file system can stall as a reader can. What overflows the buffer is dropped and counted. An error of the system is no end, except
// where nobody can ever read the lines: a full disk is tried again, and what fits into the buffer meanwhile is not lost.

import { close, constants, fstatSync, mkdir, open, write } from "node:fs";
import { dirname } from "node:path";
import { describeError } from "../system/errors.ts";

/** Characters that wait for a slow reader before lines are dropped. */
const MAX_WAITING = 1024 * 1024;
/** A write of at most PIPE_BUF (4096) bytes to a pipe is atomic (pipe(7)), so lines of several processes never mix; the room is for UTF-8. */
const PIPE_WRITE = { least: 3000, most: 3500 } as const;
/** The same for a regular file, where writes of processes that append to it never mix, whatever their size. */
const FILE_WRITE = { least: 16_000, most: 16_384 } as const;
/** No line waits longer than this for others to go with it: handing a line alone to the writing thread costs more than making it. */
const LATEST_MS = 100;
/** How long after an error, or while a pipe takes nothing, the next try is made. */
const RETRY_MS = { failed: 1000, full: 50 } as const;
/** How long the last lines may take to get out at exit. */
const FLUSH_MS = 500;
/** Readable by the group, such as `adm`: log lines name clients. */
const MODE = 0o640;

/** Where lines go: a descriptor that is open, or a file that is appended to. */
export type Target = { readonly fd: number } | { readonly path: string };

export interface OutputEvents {
  /** Lines cannot be written; told once, until they can again. The message says where and why, and what becomes of the lines. */
  onFault(message: string): void;
  /** They can be written again; `lost` lines were dropped since the fault. */
  onRecovered(lost: number): void;
}

interface Chunk {
  text: string;
  lines: number;
}

/** How a log file is opened. A FIFO that nobody reads is an error, as everything else that would wait. */
export const OPEN_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

export class Output {
  readonly #target: Target;
  readonly #name: string;
  readonly #events: OutputEvents;
  #fd: number | null;
  #size: { readonly least: number; readonly most: number } = FILE_WRITE;
  #chunks: Chunk[] = [];
  /** Characters in `#chunks`, the one that is being written included. */
  #waiting = 0;
  /** What is being written: the rest of the first chunk. */
  #rest: Buffer | null = null;
  #isWriting = false;
  #isOpening = false;
  #isOver = false;
  /** The last write failed. */
  #isFailing = false;
  /** Lines dropped when the fault that lasts began; null while all is well. */
  #faultySince: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #flushed: (() => void)[] = [];
  /** Files that are no longer written to, to be closed when the write that is under way has ended. */
  readonly #former: number[] = [];
  /** Lines dropped so far. */
  dropped = 0;

  constructor(target: Target, events: OutputEvents) {
    this.#target = target;
    this.#events = events;
    if ("fd" in target) {
      this.#name = target.fd === 1 ? "standard output" : `descriptor ${target.fd}`;
      this.#fd = target.fd;
      this.#measure(target.fd);
    } else {
      this.#name = target.path;
      this.#fd = null;
      this.reopen();
    }
  }

  /** Takes a finished line, its line feed included. */
  write(line: string): void {
    if (this.#isOver || this.#waiting + line.length > MAX_WAITING) {
      if (!this.#isOver) this.#fail("is not written out: further log lines are dropped");
      this.dropped++;
      return;
    }
    this.#waiting += line.length;
    const last = this.#chunks.at(-1);
    // The first chunk may be under way already.
    if (
      last !== undefined &&
      (this.#chunks.length > 1 || this.#rest === null) &&
      last.text.length + line.length <= this.#size.most
    ) {
      last.text += line;
      last.lines++;
    } else this.#chunks.push({ text: line, lines: 1 });
    this.#goOn();
  }

  /** Waits for what was taken, but not long, and not for what just now cannot be written. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, FLUSH_MS);
      this.#flushed.push(done);
      if (!this.#isWriting) this.#next();
    });
  }

  /** Opens the file anew, as after logrotate has renamed it. Until that is done lines go where they went. */
  reopen(): void {
    if (!("path" in this.#target) || this.#isOpening) return;
    const { path } = this.#target;
    this.#isOpening = true;
    mkdir(dirname(path), { recursive: true }, () =>
      open(path, OPEN_FLAGS, MODE, (error, fd) => {
        this.#isOpening = false;
        if (error !== null) {
          this.#fail(
            `cannot be opened: ${describeError(error)}: ${this.#fd === null ? "log lines wait for it" : "the former one is used"}`,
          );
          if (this.#fd === null) setTimeout(() => this.reopen(), RETRY_MS.failed);
          return;
        }
        const former = this.#fd;
        this.#fd = fd;
        this.#measure(fd);
        // One that is being written to is used by that write alone.
        if (former !== null && this.#isWriting) this.#former.push(former);
        else if (former !== null) close(former);
        this.#goOn();
      }),
    );
  }

  #measure(fd: number): void {
    try {
      this.#size = fstatSync(fd).isFile() ? FILE_WRITE : PIPE_WRITE;
    } catch {
      this.#size = PIPE_WRITE; // closed: the first write says it
    }
  }

  /** Writes when there is enough to write, or when it has waited long enough. */
  #goOn(): void {
    if (this.#isWriting || this.#waiting === 0) return;
    if (this.#flushed.length > 0 || (this.#waiting >= this.#size.least && !this.#isFailing)) this.#next();
    else this.#timer ??= setTimeout(() => this.#next(), this.#isFailing ? RETRY_MS.failed : LATEST_MS);
  }

  #next(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting === 0 || this.#isOver) return this.#settle();
    if (this.#fd === null || this.#isWriting) return;
    this.#rest ??= Buffer.from(this.#chunks[0]!.text);
    this.#isWriting = true;
    write(this.#fd, this.#rest, 0, this.#rest.length, null, (error, count) => {
      this.#isWriting = false;
      for (const former of this.#former.splice(0)) close(former);
      if (error === null) this.#wrote(count);
      else this.#failed(error);
    });
  }

  #wrote(count: number): void {
    const rest = this.#rest!;
    this.#isFailing = false;
    if (count < rest.length) {
      this.#rest = rest.subarray(count);
      return this.#next();
    }
    this.#rest = null;
    this.#waiting -= this.#chunks.shift()!.text.length;
    // A reader that is merely too slow would be well again with every write.
    if (this.#faultySince !== null && this.#waiting < MAX_WAITING / 2) {
      const lost = this.dropped - this.#faultySince;
      this.#faultySince = null;
      this.#events.onRecovered(lost);
    }
    if (this.#waiting === 0) this.#settle();
    else this.#goOn();
  }

  #failed(error: NodeJS.ErrnoException): void {
    switch (error.code) {
      case "EAGAIN":
      case "EBUSY":
        this.#timer ??= setTimeout(() => this.#next(), RETRY_MS.full);
        return;
      case "EPIPE":
      case "EBADF":
        this.#end(error);
        return;
    }
    this.#isFailing = true;
    this.#fail(`cannot be written: ${describeError(error)}: log lines wait, and what is too much is dropped`);
    this.#settle();
    this.#timer ??= setTimeout(() => this.#next(), RETRY_MS.failed);
  }

  /** Nobody will ever read these lines. */
  #end(error: NodeJS.ErrnoException): void {
    this.#fail(`cannot be written any more: ${describeError(error)}: log lines are dropped`);
    this.#isOver = true;
    for (const { lines } of this.#chunks) this.dropped += lines;
    this.#chunks = [];
    this.#waiting = 0;
    this.#rest = null;
    this.#settle();
  }

  #fail(what: string): void {
    if (this.#faultySince !== null) return;
    this.#faultySince = this.dropped;
    this.#events.onFault(`${this.#name} ${what}`);
  }

  #settle(): void {
    for (const done of this.#flushed.splice(0)) done();
  }
}
