// YAML as people and programs write it, in every style that a configuration may have, made by chance; and the same with a few characters
// wrong.

import type { Random } from "./random.ts";

const WORDS = [
  ...[
    "a",
    "mqtt",
    "x y",
    "HostSNI(`a.b`)",
    "127.0.0.1:1883",
    "/etc/x.pem",
    "10s",
    "-1",
    "a#b",
    "a:b",
    "é",
    "日本",
    "x-y_z",
    "😀",
  ],
  ...[
    "null",
    "Null",
    "~",
    "true",
    "yes",
    "no",
    "0",
    "017",
    "0o17",
    "0x1F",
    "1e3",
    "1.0",
    ".5",
    ".inf",
    "1_000",
    "2001-01-01",
  ],
  ...["12345678901234567890", "=", "<<", "?x", "-x", ":x", "a?b", "%x", "nULL", "NULL", "{{", "a,b"],
];
const PLAIN_IN_FLOW = WORDS.filter((word) => !/[,[\]{}%]/.test(word) && !/^[?:-]/.test(word));
const PLAIN = WORDS.filter((word) => !/^[%{]/.test(word));

/** A whole document. */
export function randomYaml(random: Random): string {
  return new Writer(random).document();
}

/** One to three characters of `text` replaced, removed or doubled. */
export function disturbed(text: string, random: Random): string {
  let result = text;
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(result.length + 1);
    const put = random.pick([
      "",
      "",
      ":",
      ": ",
      "-",
      "- ",
      "\n",
      " ",
      "  ",
      "\t",
      "#",
      " #",
      "'",
      '"',
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a ",
      "*a",
      "!",
      "|",
      ">",
      "\\",
      "?",
      "? ",
      "%",
      "@",
      "`",
      "---\n",
      "...\n",
      "\r\n",
      "\r",
    ]);
    result = result.slice(0, at) + put + result.slice(at + random.below(3));
  }
  return result;
}

class Writer {
  readonly #random: Random;
  readonly #anchors: string[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  document(): string {
    const { chance } = this.#random;
    const head = `${chance(0.1) ? "# head\n" : ""}${chance(0.1) ? "---\n" : ""}${chance(0.1) ? "\n" : ""}`;
    const text = head + this.#block(0, 4).replace(/^ *\n/, "");
    const ended = chance(0.2) ? text.trimEnd() : text;
    return chance(0.1) ? ended.replaceAll("\n", "\r\n") : ended;
  }

  /** A mapping or a list on lines of its own. */
  #block(indent: number, depth: number): string {
    return this.#random.chance(0.7) ? this.#map(indent, depth) : this.#list(indent, depth);
  }

  #map(indent: number, depth: number): string {
    const lines: string[] = [];
    for (let count = 1 + this.#random.below(4); count > 0; count--)
      lines.push(`${" ".repeat(indent)}${this.#key(PLAIN, count)}:${this.#value(indent, depth, true)}`);
    return lines.join("");
  }

  #list(indent: number, depth: number): string {
    const lines: string[] = [];
    for (let count = 1 + this.#random.below(4); count > 0; count--)
      lines.push(`${" ".repeat(indent)}-${this.#value(indent, depth, false)}`);
    return lines.join("");
  }

  #key(words: readonly string[], count: number): string {
    const { chance, pick } = this.#random;
    if (chance(0.1)) return '"a key"';
    if (chance(0.1)) return "'it''s'";
    return chance(0.8) ? `k${count}` : pick(words);
  }

  /** What stands behind a key or a dash, to the end of its last line. */
  #value(indent: number, depth: number, isOfKey: boolean): string {
    const { below, chance } = this.#random;
    const anchor = chance(0.1) ? ` ${this.#anchor()}` : "";
    const comment = chance(0.1) ? " # it's: a [comment" : "";
    const inner = indent + 1 + below(4);
    switch (below(depth > 0 ? 9 : 6)) {
      case 0:
        return `${anchor}${comment}\n`;
      case 1:
        return this.#anchors.length > 0 ? ` *${this.#random.pick(this.#anchors)}${comment}\n` : ` x${comment}\n`;
      case 2:
        return `${anchor} ${this.#lines(inner)}`;
      case 3:
        return `${anchor} ${this.#flow(2, " ".repeat(inner))}${comment}\n`;
      case 4:
      case 5:
        return `${anchor} ${this.#scalar(PLAIN, " ".repeat(inner))}${comment}\n`;
      case 6:
        return isOfKey && chance(0.5)
          ? `${anchor}${comment}\n${this.#list(indent, depth - 1)}`
          : `${anchor}${comment}\n${this.#block(inner, depth - 1)}`;
      case 7:
        // A mapping that begins behind the dash.
        return isOfKey || anchor !== ""
          ? `${anchor}${comment}\n${this.#map(inner, depth - 1)}`
          : ` ${this.#map(indent + 2, depth - 1).trimStart()}`;
      default:
        return `${anchor}${comment}\n${chance(0.3) ? "\n" : ""}${this.#block(inner, depth - 1)}`;
    }
  }

  #anchor(): string {
    const name = this.#random.pick(["a", "b", "c-1"]);
    this.#anchors.push(name);
    return `&${name}`;
  }

  /** A text of several lines behind | or >. */
  #lines(indent: number): string {
    const { chance, pick } = this.#random;
    const head = `${pick(["|", ">"])}${pick(["", "-", "+"])}${chance(0.1) ? " # c" : ""}`;
    const lines = ["x: y", "# no comment", "  more", "", "- z"].filter(() => chance(0.5));
    const text = ["first", ...lines].map((line) => (line === "" ? "" : " ".repeat(indent) + line)).join("\n");
    return `${head}\n${text}\n`;
  }

  #scalar(words: readonly string[], indent: string): string {
    const { chance, pick } = this.#random;
    const word = pick(WORDS);
    if (chance(0.2)) return JSON.stringify(word);
    if (chance(0.1)) return `'${word}'`;
    if (chance(0.05)) return '"esc \\t \\u00e9 \\x41 \\\\ \\" end"';
    if (chance(0.05)) return `"over\n${indent}two\n\n${indent}lines"`;
    if (chance(0.05)) return `plain over\n${indent}two`;
    return pick(words);
  }

  #flow(depth: number, indent: string): string {
    const { below, chance } = this.#random;
    const gap = () => (chance(0.1) ? `\n${indent}` : chance(0.5) ? " " : "");
    const item = () => (depth > 0 && chance(0.3) ? this.#flow(depth - 1, indent) : this.#scalar(PLAIN_IN_FLOW, indent));
    const items = Array.from({ length: below(4) }, (_, index) => index);
    if (chance(0.5)) {
      const entries = items.map(() => (chance(0.1) ? `${this.#key(PLAIN_IN_FLOW, 1)}: ${item()}` : item()));
      return `[${gap()}${entries.join(`,${gap()}`)}${gap()}]`;
    }
    const entries = items.map((index) =>
      chance(0.1) ? `k${index}` : `${this.#key(PLAIN_IN_FLOW, index)}:${chance(0.1) ? "" : ` ${item()}`}`,
    );
    return `{${gap()}${entries.join(`,${gap()}`)}${gap()}}`;
  }
}
