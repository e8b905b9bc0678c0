// Reading the files that a configuration consists of, with errors fit for an operator.

import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { describeError } from "./errors.ts";

/** Larger than any certificate bundle in use (Debian's, with every public CA, is 220 kB). */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

export type FileBytes = { kind: "ok"; bytes: Buffer; path: string } | { kind: "error"; message: string };
export type FileText = { kind: "ok"; text: string; path: string | null } | { kind: "error"; message: string };

/** Reads a file of at most `most` bytes; the message of an error is fit for an operator and names the resolved path. */
export function readFileBytes(path: string, most = MAX_FILE_BYTES): FileBytes {
  const absolute = resolve(path);
  try {
    const info = statSync(absolute);
    if (info.isDirectory()) return { kind: "error", message: `${absolute} is a directory, not a file` };
    // A pipe or a device may give bytes without end, or none for ever.
    if (!info.isFile()) return { kind: "error", message: `${absolute} is not a regular file` };
    if (info.size > most)
      return { kind: "error", message: `${absolute} has ${info.size} bytes; at most ${most} are read` };
    return { kind: "ok", bytes: readFileSync(absolute), path: absolute };
  } catch (error) {
    return { kind: "error", message: `${absolute}: ${describeError(error)}` };
  }
}

/** The same for text in UTF-8. */
export function readTextFile(path: string): FileText {
  const read = readFileBytes(path);
  return read.kind === "error" ? read : { kind: "ok", text: read.bytes.toString("utf8"), path: read.path };
}
