// Reads ThingsBoard's keygen.properties, which its scripts take as a shell script: assignments, comments, and nothing else. No shell reads
// it here, and nothing in it is run.

/** A variable as it was set last. */
export interface Setting {
  readonly value: string;
  /** From 1 on. */
  readonly line: number;
}

export type Properties =
  | {
      readonly kind: "ok";
      readonly settings: ReadonlyMap<string, Setting>;
      /** Lines on which a variable is set once more, which then has that value. */
      readonly again: readonly { readonly name: string; readonly line: number }[];
    }
  /** The message quotes no value, for it may be a password. */
  | { readonly kind: "error"; readonly line: number; readonly message: string };

/** Longer ones are no such file. Bytes. */
export const MAX_PROPERTIES = 64 * 1024;

const ASSIGNMENT = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=/;
/** The one command that ThingsBoard's own file has, in both spellings of the shell. */
const HOSTNAME = /^(?:\$\(hostname\)|`hostname`)/;
/** What means something to a shell, and so would not be what it looks like. */
const SPECIAL = /[$`\\;&|<>(){}*?[\]~!]/;

class Fault extends Error {}

/** Total. `hostname` is what $(hostname) stands for. */
export function parseProperties(text: string, hostname: string): Properties {
  const settings = new Map<string, Setting>();
  const again: { name: string; line: number }[] = [];
  for (const [index, whole] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      const [, name] = ASSIGNMENT.exec(line) ?? [];
      if (name === undefined) throw new Fault(describeLine(line));
      if (settings.has(name)) again.push({ name, line: index + 1 });
      const value = readValue(line.slice(line.indexOf("=") + 1), name, hostname);
      settings.set(name, { value, line: index + 1 });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { kind: "error", line: index + 1, message: error.message };
    }
  }
  return { kind: "ok", settings, again };
}

function describeLine(line: string): string {
  if (/^(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]+=/.test(line))
    return "there is a space before the =: a shell takes that for a command. Write NAME=value";
  return "this is no assignment: write NAME=value, one on a line";
}

function readValue(text: string, name: string, hostname: string): string {
  let value = "";
  let at = 0;
  const special = (): string => {
    const [command] = HOSTNAME.exec(text.slice(at)) ?? [];
    if (command === undefined)
      throw new Fault(
        `${name} has a variable or a command in it, and nothing is run here but $(hostname): write the value itself, in single quotes if it is meant as it is`,
      );
    at += command.length;
    return hostname;
  };
  while (at < text.length) {
    const character = text[at]!;
    if (character === " " || character === "\t") {
      if (!/^[ \t]+(?:#.*)?$/.test(text.slice(at)))
        throw new Fault(`${name} has a space that is not in quotes: write ${name}="..."`);
      break;
    }
    if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) throw new Fault(`${name} has a single quote that is not closed on this line`);
      value += text.slice(at + 1, end);
      at = end + 1;
    } else if (character === '"') {
      at++;
      while (text[at] !== '"') {
        if (at >= text.length) throw new Fault(`${name} has a double quote that is not closed on this line`);
        const inside = text[at]!;
        if (inside === "$" || inside === "`") value += special();
        else if (inside === "\\" && /["\\$`]/.test(text[at + 1] ?? "")) {
          value += text[at + 1]!;
          at += 2;
        } else {
          value += inside;
          at++;
        }
      }
      at++;
    } else if (character === "$" || character === "`") value += special();
    else if (SPECIAL.test(character))
      throw new Fault(
        `${name} has the character ${character}, which means something to a shell: put the value in quotes`,
      );
    else {
      value += character;
      at++;
    }
  }
  return value;
}
