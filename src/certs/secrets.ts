// Passwords of keys and key stores: written out, from a file, or from the environment. None of them ever reaches a message.

import { isUtf8 } from "node:buffer";
import { resolve } from "node:path";
import { encodingOf, readFileBytes, TO_UTF8, TO_UTF8_FROM_8_BITS } from "../system/files.ts";

export type Secret = { kind: "ok"; value: string | null } | { kind: "error"; message: string };

/** Longer ones are a file that was meant for something else. Bytes. */
const MAX_SECRET = 4096;
/** Some editors of Windows begin a text with it. */
const BYTE_ORDER_MARK = /^\ufeff/;
const VARIABLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Whether it stands for a variable of the environment. */
export function isVariable(value: string): boolean {
  return VARIABLE.test(value);
}

/**
 * The password that a field or the file beside it gives; null when neither does. `${NAME}` stands for a variable of the environment;
 * of a file, in UTF-8, the first line counts, as editors end it with a line feed.
 */
export function readSecret(
  value: string | undefined,
  file: string | undefined,
  seen: (path: string) => void = () => {},
): Secret {
  if (file !== undefined) {
    seen(resolve(file)); // also of one that is away: its return must be noticed
    const read = readFileBytes(file, MAX_SECRET);
    if (read.kind === "error") return read;
    // Letters of another encoding would become others, and a password that nobody can ever type.
    if (encodingOf(read.bytes) === "UTF-16") return { kind: "error", message: `${read.path} is in UTF-16: ${TO_UTF8}` };
    if (read.bytes.includes(0))
      return { kind: "error", message: `${read.path} is binary, and no text with a password` };
    if (!isUtf8(read.bytes)) return { kind: "error", message: `${read.path} is not in UTF-8: ${TO_UTF8_FROM_8_BITS}` };
    const text = read.bytes.toString("utf8").replace(BYTE_ORDER_MARK, "");
    return { kind: "ok", value: text.split(/\r?\n/, 1)[0]! };
  }
  if (value === undefined) return { kind: "ok", value: null };
  const variable = VARIABLE.exec(value)?.[1];
  if (variable === undefined) return { kind: "ok", value };
  const set = process.env[variable];
  return set === undefined
    ? { kind: "error", message: `the variable ${variable} is not set in Sluice's environment` }
    : { kind: "ok", value: set };
}
