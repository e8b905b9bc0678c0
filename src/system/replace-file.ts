// Writing a file that holds what must not be lost: a crash at any moment leaves the former one or the new one.

import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isThere } from "./files.ts";

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

export interface NewFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** What the file gets, whatever the umask is. */
  readonly mode: number;
}

/**
 * Writes a file beside `name`, syncs it, and renames it. A symbolic link stays, and what it leads to is replaced: the link is how a file
 * is kept on another volume.
 * @throws the system's error, and leaves the file as it was.
 */
export function replaceFile(name: string, content: string | Uint8Array, mode: number): void {
  replaceFiles([{ name, content, mode }]);
}

/**
 * The same for files that belong together, in the order in which they are to appear: all are on the disk before the first is renamed, so
 * between the first and the last there is next to no time.
 */
export function replaceFiles(files: readonly NewFile[]): void {
  putInPlace(
    files.map((file) => ({ ...file, name: fileBehind(file.name) })),
    renameSync,
  );
}

/** What programs that were killed within `replaceFiles` have left of files with these names: their paths. */
export function unfinishedFiles(directory: string, names: readonly string[]): string[] {
  if (!isThere(directory)) return [];
  const left = readdirSync(directory).filter((entry) => names.includes(/^(.*)\.\d+\.tmp$/.exec(entry)?.[1] ?? ""));
  return left.map((entry) => join(directory, entry));
}

/**
 * Makes a directory with these files in it. It has its name once all of them are on the disk; until then they are in `temporary`, beside
 * it. What is there of a program that was killed is removed.
 * @throws the system's error, and leaves nothing.
 */
export function createDirectory(name: string, temporary: string, files: readonly NewFile[]): void {
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    for (const file of files) write(join(temporary, basename(file.name)), file.content, file.mode);
    syncDirectory(temporary);
    renameSync(temporary, name);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  syncDirectory(dirname(name));
}

/** The same as `replaceFile` for a name that nothing has yet. @throws the system's error, EEXIST when something has that name */
export function createFile(name: string, content: string | Uint8Array, mode: number): void {
  putInPlace([{ name, content, mode }], (temporary, path) => {
    try {
      linkSync(temporary, path); // unlike a rename it replaces nothing
      rmSync(temporary);
    } catch (error) {
      // Not every file system has links.
      if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? "") || isThere(path)) throw error;
      renameSync(temporary, path);
    }
  });
}

const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

function putInPlace(files: readonly NewFile[], place: (temporary: string, path: string) => void): void {
  const temporary = (path: string): string => `${path}.${process.pid}.tmp`;
  try {
    for (const { name, content, mode } of files) write(temporary(name), content, mode);
    for (const { name } of files) place(temporary(name), name);
  } catch (error) {
    for (const { name } of files) rmSync(temporary(name), { force: true });
    throw error;
  }
  for (const directory of new Set(files.map(({ name }) => dirname(name)))) syncDirectory(directory);
}

function write(path: string, content: string | Uint8Array, mode: number): void {
  rmSync(path, { force: true });
  const fd = openSync(path, "wx", mode);
  try {
    fchmodSync(fd, mode);
    writeAll(fd, Buffer.from(content));
    fsyncSync(fd);
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error; // write() knows no names
  } finally {
    closeSync(fd);
  }
}

/** Where symbolic links lead to, be there a file already or not; the name itself where they lead round in a circle. */
export function fileBehind(name: string): string {
  let path = name;
  for (let links = 0; links < MAX_LINKS; links++) {
    let target: string;
    try {
      target = readlinkSync(path);
    } catch {
      return path; // no link, or nothing yet
    }
    path = resolve(realpathSync(dirname(path)), target);
  }
  return name;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** The rename itself is in the directory. Not every file system can sync one. */
function syncDirectory(path: string): void {
  try {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The file's content is safe; only its name might be the former one's after a power cut.
  }
}
