// Reading the files that a configuration consists of, with errors fit for an operator.

import { lstatSync, readFileSync, type Stats, statSync } from "node:fs";
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

/** The same for text, which must be in UTF-8: of anything else no message can quote a line. */
export function readTextFile(path: string, most = MAX_FILE_BYTES): FileText {
  const read = readFileBytes(path, most);
  if (read.kind === "error") return read;
  switch (encodingOf(read.bytes)) {
    case "UTF-8":
      return { kind: "ok", text: read.bytes.toString("utf8"), path: read.path };
    case "UTF-16":
      return { kind: "error", message: `${read.path} is in UTF-16: ${TO_UTF8}` };
    case "binary":
      return { kind: "error", message: `${read.path} is binary, and no text` };
  }
}

/** What to do with a text in UTF-16, which some editors and PowerShell's > write. */
export const TO_UTF8 = "save it in UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8)";

/** The same with a text of the time before Unicode. */
export const TO_UTF8_FROM_8_BITS = "save it in UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 FILE > FILE.utf8)";

/** How a text is written: UTF-16 by its mark, or by the zero byte in each of its first letters; no other text has zero bytes. */
export function encodingOf(bytes: Buffer): "UTF-8" | "UTF-16" | "binary" {
  const first = bytes.subarray(0, 64);
  const mark = first.toString("hex", 0, 2);
  if (mark === "fffe" || mark === "feff") return "UTF-16";
  if (!bytes.includes(0)) return "UTF-8";
  const zeros = (odd: number): boolean =>
    first.length > 3 && first.every((byte, at) => (byte === 0) === (at % 2 === odd));
  return zeros(0) || zeros(1) ? "UTF-16" : "binary";
}

/** What stands behind a path; null where that cannot be looked at. */
export function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** Whether the entry itself is there, whatever it links to. */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
