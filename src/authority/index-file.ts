// The file of an authority's index. It only grows, by one write() for what is done at once, so that whatever happens leaves whole events: a last
// line without its end is of a program that died within that write, and whose event nobody has heard of.

import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { printable } from "../text/printable.ts";
import { type Event, eventOf, Ledger, lineOf } from "./events.ts";

/** Larger than that of a million certificates. Bytes. */
const MAX_BYTES = 512 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** A line that is no event. What it was is not known, and it may be a revocation: nothing is issued over it. */
export class IndexDamaged extends Error {}

export class IndexFile {
  readonly #path: string;
  #ledger = new Ledger();
  /** Up to where the events are in the ledger: the end of a line. */
  #offset = 0;
  #lines = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** What the whole lines of the file add up to, also those that others have appended since the last call. @throws IndexDamaged, and the system's error */
  read(): Ledger {
    const fd = openSync(this.#path, "r");
    try {
      this.#catchUp(fd);
    } finally {
      closeSync(fd);
    }
    return this.#ledger;
  }

  /** Appends events, all on the disk when this returns. Only for who has the authority's lock. @throws as `read` */
  append(events: readonly Event[]): void {
    if (events.length === 0) return;
    const fd = openSync(this.#path, constants.O_RDWR | constants.O_APPEND);
    try {
      this.#catchUp(fd);
      if (fstatSync(fd).size > this.#offset) ftruncateSync(fd, this.#offset);
      const lines = Buffer.from(events.map(lineOf).join(""));
      try {
        if (writeSync(fd, lines) !== lines.length)
          throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", path: this.#path, syscall: "write" });
        fsyncSync(fd);
      } catch (error) {
        ftruncateSync(fd, this.#offset);
        throw error;
      }
      this.#catchUp(fd);
    } finally {
      closeSync(fd);
    }
  }

  #catchUp(fd: number): void {
    const { size } = fstatSync(fd);
    if (size > MAX_BYTES) throw new IndexDamaged(`${this.#path} has ${size} bytes; at most ${MAX_BYTES} are read`);
    // An older copy of it was put back.
    if (size < this.#offset) this.#forget();
    const bytes = Buffer.alloc(size - this.#offset);
    let filled = 0;
    while (filled < bytes.length) {
      const got = readSync(fd, bytes, filled, bytes.length - filled, this.#offset + filled);
      if (got === 0) break;
      filled += got;
    }
    const end = bytes.subarray(0, filled).lastIndexOf(LINE_FEED) + 1;
    if (end === 0) return;
    for (const line of bytes.toString("utf8", 0, end - 1).split("\n")) {
      this.#lines++;
      if (line === "" || line.startsWith("#")) continue;
      const event = eventOf(line);
      if (event !== null && this.#ledger.add(event)) continue;
      const place = `${this.#path}:${this.#lines}`;
      this.#forget();
      throw new IndexDamaged(
        `${place}: this is no event of an index: "${printable(line.slice(0, 60))}". Put the line right, or take the file from a backup`,
      );
    }
    this.#offset += end;
  }

  #forget(): void {
    [this.#ledger, this.#offset, this.#lines] = [new Ledger(), 0, 0];
  }
}
