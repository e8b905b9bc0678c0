// Mosquitto's password file: text in, users and faulty lines out. It reads what Mosquitto 2.0 and 2.1 read, line by line; where the two
// differ, or a line can be meant in two ways, the user is refused.

import { formatHash, type PasswordHash, readHash } from "./password-hash.ts";

/** Users of a file. Of Mosquitto 2.1's lines 80 000 fit into the 16 MiB that are read of any file, of 2.0's 120 000. */
export const MAX_USERS = 100_000;
/** Faulty lines that are told apart; of the others only the number is known. */
const MAX_FAULTS = 100;
/** Bytes of a name: CONNECT has no room for a longer one (3.1.1 1.5.3). */
const MAX_NAME = 65535;

/** A line that gives nobody access. */
export interface LineFault {
  /** From 1. */
  readonly line: number;
  /** In words for the operator, without anything of the password; a name in it may have any printable character. */
  readonly message: string;
}

/** The users of a file. A user whose line is faulty is none: he is refused like one that was never there. */
export interface PasswordFile {
  readonly users: ReadonlyMap<string, PasswordHash>;
  readonly faults: readonly LineFault[];
  /** All of them, those beyond the first hundred too. */
  readonly faultCount: number;
}

export type PasswordFileRead =
  | { readonly kind: "ok"; readonly file: PasswordFile }
  | { readonly kind: "bad"; readonly message: string };

/**
 * Reads a whole file. As in Mosquitto a `#` in the first column makes a comment, lines without a colon do not count, blanks round name and
 * hash are dropped, and so is what stands behind a second colon.
 *
 * A name that is there twice is refused. Mosquitto 2.0 takes the last line and 2.1 does not start; but whichever line counted, it could
 * be the password that the other one was meant to replace.
 */
export function readPasswordFile(text: string): PasswordFileRead {
  const users = new Map<string, PasswordHash>();
  const lineOf = new Map<string, number>();
  const faults: LineFault[] = [];
  let faultCount = 0;
  let line = 0;
  const fault = (message: string): void => {
    if (++faultCount <= MAX_FAULTS) faults.push({ line, message });
  };
  for (const content of linesOf(text)) {
    line++;
    const colon = content.indexOf(":");
    if (colon < 0 || content.startsWith("#")) continue;
    const name = trimBlanks(content.slice(0, colon));
    const problem = problemOfName(name);
    if (problem !== null) {
      fault(problem);
      continue;
    }
    const former = lineOf.get(name);
    if (former !== undefined) {
      users.delete(name);
      fault(
        `the user ${quoted(name)} is there twice, first in line ${former}, and is refused: remove one of the two lines`,
      );
      continue;
    }
    if (lineOf.size === MAX_USERS) return { kind: "bad", message: `it has more than ${MAX_USERS} users` };
    lineOf.set(name, line);
    const read = readHash(trimBlanks(content.slice(colon + 1).split(":", 1)[0]!));
    if (read.kind === "ok") users.set(name, read.hash);
    else fault(`the user ${quoted(name)} is refused: ${read.message}`);
  }
  return { kind: "ok", file: { users, faults, faultCount } };
}

/** As one line each, in the order of the file, in a form that `readPasswordFile` gives back without a fault. */
export function formatUsers(users: Iterable<readonly [name: string, hash: PasswordHash]>): string {
  let text = "";
  for (const [name, hash] of users) text += `${name}:${formatHash(hash)}\n`;
  return text;
}

/** Lines, one at a time; the byte order mark of some editors is not part of the first name. */
function* linesOf(text: string): Generator<string> {
  let start = text.startsWith("\uFEFF") ? 1 : 0;
  while (start < text.length) {
    const end = text.indexOf("\n", start);
    yield text.slice(start, end < 0 ? text.length : end);
    start = end < 0 ? text.length : end + 1;
  }
}

/** Without the blanks of C's isspace() round it. A regular expression would look at each run of blanks inside anew from each of them. */
function trimBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANKS.includes(text[start]!)) start++;
  while (start < end && BLANKS.includes(text[end - 1]!)) end--;
  return text.slice(start, end);
}

const BLANKS = " \t\v\f\r";

function problemOfName(name: string): string | null {
  if (name === "") return "there is no user name before the colon";
  if (name.startsWith("#")) return "a comment must begin in the first column, and no user name begins with #";
  if (name.length * 3 > MAX_NAME && Buffer.byteLength(name) > MAX_NAME)
    return `the user name has more than ${MAX_NAME} bytes`;
  // What is no UTF-8 has become U+FFFD.
  if (/[\p{Cc}\uFFFD]/u.test(name)) return "the user name is not UTF-8, or has a control character in it";
  return null;
}

/** Characters of a name that a message shows. */
const MAX_SHOWN = 60;

function quoted(name: string): string {
  return JSON.stringify(name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}...` : name);
}
