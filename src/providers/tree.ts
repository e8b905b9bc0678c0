// The configuration files in a directory tree, whatever else is in it: links in a loop, pipes, a link to the whole machine.

import { readdirSync, realpathSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostics } from "../config/diagnostics.ts";
import { describeError } from "../system/errors.ts";
import { isThere, statOf } from "../system/files.ts";

const EXTENSIONS = /\.(ya?ml|toml)$/i;
/** A tree of configuration deeper than this is a mistake. */
const MAX_DEPTH = 16;
/** Directories that are watched of a tree that has too many entries. */
const MAX_WATCHED = 1000;
/** Links to nothing that are told of and watched. */
const MAX_UNKNOWN = 100;
/** Entries of the whole tree, of any kind: looking at so many takes about a second. */
const MAX_ENTRIES = 100_000;

export interface Tree {
  /** Paths of regular files, and of links that lead nowhere, in name order; none of a tree with too many entries. */
  readonly files: readonly string[];
  /** The directories that were read, whose entries decide what the tree is; and links to nothing, in the place of which one may come. */
  readonly directories: readonly string[];
}

/**
 * Every configuration file below `root`, sub-directories included; hidden entries are none (`..data`, `.swp`). A directory is read
 * once, however many links lead to it. What is left out is a warning, and an error where it is not known what is missing.
 */
export function findFiles(root: string, diagnostics: Diagnostics): Tree {
  const walk = new Walk(diagnostics);
  const info = statOf(root);
  if (info?.isDirectory()) walk.isNew(info);
  walk.directory(root, 0);
  walk.end();
  return walk;
}

class Walk implements Tree {
  readonly files: string[] = [];
  readonly directories: string[] = [];
  readonly #diagnostics: Diagnostics;
  /** By device and inode. */
  readonly #seen = new Set<string>();
  #entries = 0;
  readonly #unknown: string[] = [];

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  directory(directory: string, depth: number): void {
    this.directories.push(directory);
    let names: string[];
    try {
      names = readdirSync(directory).sort();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const hint = code === "ENOENT" ? `; relative paths start at the working directory, ${process.cwd()}` : "";
      this.#error(directory, `${resolve(directory)}: cannot be read: ${describeError(error)}${hint}`);
      return;
    }
    for (const name of names) {
      if (this.#entries > MAX_ENTRIES) return;
      if (++this.#entries > MAX_ENTRIES)
        return this.#error(
          directory,
          `the tree has more than ${MAX_ENTRIES} entries: does a link in it lead to somewhere else?`,
        );
      if (!name.startsWith(".")) this.#entry(join(directory, name), name, depth);
    }
  }

  /** Tells of links to nothing, and has them watched: not of those of the whole machine. */
  end(): void {
    if (this.#entries > MAX_ENTRIES) {
      // Most of it is somebody else's, and to read it would take minutes.
      this.files.length = 0;
      // The link that leads out of the tree stands in one of the first.
      this.directories.length = Math.min(this.directories.length, MAX_WATCHED);
      return;
    }
    for (const path of this.#unknown) {
      this.directories.push(path);
      this.#warn(path, "leads to nothing that can be looked at: if it is a directory, it is not read");
    }
  }

  /** Remembers a directory; false when it has been seen. */
  isNew({ dev, ino }: Stats): boolean {
    const id = `${dev} ${ino}`;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    return true;
  }

  #entry(path: string, name: string, depth: number): void {
    const info = statOf(path);
    if (info?.isDirectory()) {
      if (!this.isNew(info)) this.#warn(path, `leads to ${targetOf(path)}, which is read already: it is read once`);
      else if (depth >= MAX_DEPTH) this.#error(path, `nested deeper than ${MAX_DEPTH} directories: is it meant?`);
      else this.directory(path, depth + 1);
    } else if (EXTENSIONS.test(name)) {
      if (info === null || info.isFile()) this.files.push(path);
      else this.#warn(path, `is ${kindOf(info)}, not a regular file: it is not read`);
    } else if (info === null && this.#unknown.length < MAX_UNKNOWN && isThere(path)) this.#unknown.push(path);
  }

  #error(file: string, message: string): void {
    this.#diagnostics.error("directory-unreadable", { file, line: 0, column: 0 }, message);
  }

  #warn(file: string, message: string): void {
    this.#diagnostics.warn("entry-not-read", { file, line: 0, column: 0 }, message);
  }
}

/** Where a link leads; it may be gone by now. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return "a directory";
  }
}

function kindOf(info: Stats): string {
  if (info.isFIFO()) return "a named pipe";
  return info.isSocket() ? "a socket" : "a device";
}

/** Whether `path` is there and cannot be looked at, as a link to what is not mounted. */
export function leadsToNothing(path: string): boolean {
  return statOf(path) === null && isThere(path);
}
