// Programs on one machine take turns by a lock that the kernel gives back when its holder dies, whatever it dies of. The runtime has no
// flock(); an exclusive transaction of SQLite is such a lock (https://sqlite.org/lockingv3.html), on a file that stays empty.

import { Database, SQLiteError } from "bun:sqlite";
import { existsSync } from "node:fs";
import { dirname } from "node:path";

/** Who waits longer waits for a program that hangs. Milliseconds. */
const LONGEST_WAIT = 60_000;
/** Between two looks at a lock that is taken; at random, so that of many who wait none is always late. Milliseconds. */
const POLL = { least: 4, most: 24 };

/** The lock was held by another program all the time. */
export class TurnTimeout extends Error {}

/**
 * Waits for its turn, does `work`, and lets the next one in. `file` is made when it is not there, and stays. It holds among the tasks of
 * one process too.
 * @throws what `work` throws, TurnTimeout, and the system's error when the file cannot be opened (ENOENT, EACCES).
 */
export async function inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = open(file);
  try {
    const deadline = performance.now() + LONGEST_WAIT;
    while (!take(lock, file)) {
      if (performance.now() > deadline)
        throw new TurnTimeout(`${file}: another program has held this lock for ${LONGEST_WAIT / 1000} s`);
      await new Promise((next) => setTimeout(next, POLL.least + Math.random() * (POLL.most - POLL.least)));
    }
    return await work();
  } finally {
    lock.close();
  }
}

function open(file: string): Database {
  try {
    return new Database(file, { create: true, readwrite: true });
  } catch {
    throw systemError(file, existsSync(dirname(file)) ? "EACCES" : "ENOENT");
  }
}

function take(lock: Database, file: string): boolean {
  try {
    // No journal beside the file: nothing is ever written that would have to be taken back.
    lock.run("PRAGMA journal_mode = MEMORY");
    lock.run("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;
    if (error.code === "SQLITE_BUSY") return false;
    throw systemError(file, CODES[error.code ?? ""] ?? error.code ?? "EIO");
  }
}

/** What the system said to SQLite. */
const CODES: Readonly<Record<string, string>> = {
  SQLITE_FULL: "ENOSPC",
  SQLITE_READONLY: "EACCES",
  SQLITE_CANTOPEN: "EACCES",
};

function systemError(path: string, code: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path, syscall: "open" });
}
