// What was typed: the bytes of a terminal as names of keys.

/** A single printable character stands for itself. */
export type Key = string;

const SEQUENCES: Readonly<Record<string, Key>> = {
  "[A": "Up",
  OA: "Up",
  "[B": "Down",
  OB: "Down",
  "[C": "Right",
  OC: "Right",
  "[D": "Left",
  OD: "Left",
  "[5~": "PgUp",
  "[6~": "PgDn",
  "[H": "Home",
  OH: "Home",
  "[1~": "Home",
  "[7~": "Home",
  "[F": "End",
  OF: "End",
  "[4~": "End",
  "[8~": "End",
  "[Z": "BackTab",
  "[3~": "Delete",
};
const CONTROLS: Readonly<Record<string, Key>> = {
  "\r": "Enter",
  "\n": "Enter",
  "\t": "Tab",
  "\b": "Backspace",
  "\x7f": "Backspace",
  "\x03": "Ctrl-C",
  "\x0c": "Ctrl-L",
  "\x15": "Ctrl-U",
  "\x1b": "Escape",
};

/** A sequence that no key above has, such as a function key's, is none. */
const SEQUENCE = /^\x1b(\[[0-9;?]*[ -/]*[@-~]|O[@-~])/;

/** Keys of what has arrived at once: terminals send a key's bytes together. */
export function keysOf(typed: string): Key[] {
  const keys: Key[] = [];
  for (let rest = typed; rest !== ""; ) {
    const sequence = SEQUENCE.exec(rest);
    if (sequence !== null) {
      const key = SEQUENCES[sequence[1]!];
      if (key !== undefined) keys.push(key);
      rest = rest.slice(sequence[0].length);
      continue;
    }
    const character = String.fromCodePoint(rest.codePointAt(0)!);
    const key = CONTROLS[character] ?? (/\p{Cc}/u.test(character) ? null : character);
    if (key !== null) keys.push(key);
    rest = rest.slice(character.length);
  }
  return keys;
}
