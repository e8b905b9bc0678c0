// Passwords of keys and key stores: written out, from a file, or from the environment. None of them ever reaches a message.

import { resolve } from "node:path";
import { readFileBytes } from "../system/files.ts";

export type Secret = { kind: "ok"; value: string | null } | { kind: "error"; message: string };

/** Longer ones are a file that was meant for something else. Bytes. */
const MAX_SECRET = 4096;
const VARIABLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Whether it stands for a variable of the environment. */
export function isVariable(value: string): boolean {
  return VARIABLE.test(value);
}

/**
 * The password that a field or the file beside it gives; null when neither does. `${NAME}` stands for a variable of the environment;
 * of a file the first line counts, as editors end it with a line feed.
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
    return { kind: "ok", value: read.bytes.toString("utf8").split(/\r?\n/, 1)[0]! };
  }
  if (value === undefined) return { kind: "ok", value: null };
  const variable = VARIABLE.exec(value)?.[1];
  if (variable === undefined) return { kind: "ok", value };
  const set = process.env[variable];
  return set === undefined
    ? { kind: "error", message: `the variable ${variable} is not set in Sluice's environment` }
    : { kind: "ok", value: set };
}
