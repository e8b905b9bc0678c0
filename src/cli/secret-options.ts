// Passwords on the command line: never as an argument, which everyone on the machine can see, but from a file, a variable or a prompt.

import { readSecret, type Secret } from "../certs/secrets.ts";
import type { Terminal } from "./terminal.ts";

/** The secret of --<option>File or --<option>Env; null where neither is given. */
export function secretOption(option: string, file: string | undefined, variable: string | undefined): Secret {
  if (file !== undefined && variable !== undefined)
    return { kind: "error", message: `--${option}File and --${option}Env are two sources: give one of them` };
  if (variable === undefined) return readSecret(undefined, file);
  const value = process.env[variable];
  return value === undefined
    ? { kind: "error", message: `--${option}Env: the variable ${variable} is not set` }
    : { kind: "ok", value };
}

/** Asks for a new secret, twice; "" when it was left empty, null when it was given up or nobody is there. */
export async function askNew(question: string, { ask, error }: Terminal): Promise<string | null> {
  if (ask === null) return null;
  for (;;) {
    const first = await ask(`${question}: `);
    if (first === null || first === "") return first;
    const second = await ask("The same again: ");
    if (second === null) return null;
    if (first === second) return first;
    error("These two are not the same.");
  }
}
