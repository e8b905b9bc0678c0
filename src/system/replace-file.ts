// Writing a file that holds what must not be lost: a crash at any moment leaves the former one or the new one.

import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { isThere } from "./files.ts";

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Writes a file beside `name`, syncs it, and renames it. A symbolic link stays, and what it leads to is replaced: the link is how a file
 * is kept on another volume. `mode` is what the file gets, whatever the umask is.
 * @throws the system's error, and leaves the file as it was.
 */
export function replaceFile(name: string, content: string | Uint8Array, mode: number): void {
  putInPlace(fileBehind(name), content, mode, renameSync);
}

/** The same for a name that nothing has yet. @throws the system's error, EEXIST when something has that name */
export function createFile(name: string, content: string | Uint8Array, mode: number): void {
  putInPlace(name, content, mode, (temporary, path) => {
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

function putInPlace(
  path: string,
  content: string | Uint8Array,
  mode: number,
  place: (temporary: string, path: string) => void,
): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, "wx", mode);
    try {
      fchmodSync(fd, mode);
      writeAll(fd, Buffer.from(content));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    place(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
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
