// The password that a file holds, where it is read again when the file changes.

import type { Parsed } from "../certs/files.ts";

/** As with other passwords (certs/secrets.ts), the first line of a file counts. */
export function firstLine(text: string): Parsed<string> {
  // The byte order mark of some editors is no part of a password.
  const [line = ""] = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1);
  if (line === "") return { kind: "error", code: "file-unreadable", message: "there is no password in its first line" };
  // What is no UTF-8 has been replaced, and would be another password.
  if (line.includes("\ufffd"))
    return { kind: "error", code: "file-unreadable", message: "its first line is not UTF-8" };
  return { kind: "ok", value: line };
}
