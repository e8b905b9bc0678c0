// Writing a file that holds what must not be lost: a crash at any moment leaves the former one or the new one.

import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Writes a file beside `name`, syncs it, and renames it. A symbolic link stays, and what it leads to is replaced: the link is how a file
 * is kept on another volume. `mode` is what the file gets, whatever the umask is.
 * @throws the system's error, and leaves the file as it was.
 */
export function replaceFile(name: string, content: string | Uint8Array, mode: number): void {
  const path = fileBehind(name);
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
    renameSync(temporary, path);
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
