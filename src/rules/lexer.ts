// Cuts a rule into tokens. Rules are Go expressions in Traefik, so strings, comments and operators are Go's.

/** `at` is the offset in the rule text in UTF-16 units; `columnAt` turns it into what an operator counts. */
export type Token =
  | { kind: "name"; at: number; text: string }
  /** A string literal, with quotes and escapes resolved. */
  | { kind: "string"; at: number; text: string }
  | { kind: "(" | ")" | "," | "&&" | "||" | "!" | "end"; at: number }
  | Bad;

/** What is no token; the text is not read beyond it. */
interface Bad {
  kind: "bad";
  at: number;
  message: string;
}

/** 1-based column in characters (code points) of an offset. */
export function columnAt(text: string, at: number): number {
  let column = 1;
  for (let i = 0; i < at; column++) i += text.codePointAt(i)! > 0xffff ? 2 : 1;
  return column;
}

const SPACE = /[ \t\r\n]+/y;
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
// Most likely slips, answered with the right spelling.
const SLIPS: Record<string, string> = {
  "&": '"&" is not an operator, write "&&"',
  "|": '"|" is not an operator, write "||"',
  "'": "a value is written in `backticks` or \"double quotes\", not in 'single quotes'",
  "=": 'comparisons do not exist in rules, write for example HostSNI("example.com")',
  ":": "this is how Traefik v1 wrote rules: write for example HostSNI(`example.com`)",
};

/** The tokens of a text, with "end" or the first thing that is no token as the last one. Never throws. */
export function lex(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  for (;;) {
    // Go ends an expression at a newline before an operator; YAML authors break lines there, so any white space is accepted.
    while (skip(SPACE) || skip(COMMENT));
    const start = at;
    const char = text.charAt(at);
    if (char === "") {
      tokens.push({ kind: "end", at });
      return tokens;
    }
    if (char === "(" || char === ")" || char === "," || char === "!") {
      tokens.push({ kind: char, at });
      at++;
    } else if (text.startsWith("&&", at) || text.startsWith("||", at)) {
      tokens.push({ kind: char === "&" ? "&&" : "||", at });
      at += 2;
    } else if (char === "`") {
      const close = text.indexOf("`", at + 1);
      if (close < 0) {
        tokens.push({ kind: "bad", at, message: "this backtick is never closed" });
        return tokens;
      }
      // Go drops carriage returns from raw strings, so files with CRLF mean the same.
      tokens.push({ kind: "string", at, text: text.slice(at + 1, close).replaceAll("\r", "") });
      at = close + 1;
    } else if (char === '"') {
      const quoted = readQuoted(text, at);
      if (quoted.kind === "bad") {
        tokens.push(quoted);
        return tokens;
      }
      tokens.push({ kind: "string", at, text: quoted.value });
      at = quoted.end;
    } else if (skip(NAME)) {
      tokens.push({ kind: "name", at: start, text: text.slice(start, at) });
    } else {
      const shown = JSON.stringify(String.fromCodePoint(text.codePointAt(at)!));
      tokens.push({ kind: "bad", at, message: SLIPS[char] ?? `unexpected ${shown}` });
      return tokens;
    }
  }
}

const SIMPLE_ESCAPES: Record<string, string> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};
const NUMERIC_ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y;

/** Go's interpreted string literal (Go spec, "String literals"). \x and octal above 7f become that code point: no matcher takes them. */
function readQuoted(text: string, open: number): { kind: "ok"; value: string; end: number } | Bad {
  let value = "";
  let at = open + 1;
  for (;;) {
    const char = text.charAt(at);
    if (char === "" || char === "\n") return { kind: "bad", at: open, message: "this quote is never closed" };
    if (char === '"') return { kind: "ok", value, end: at + 1 };
    if (char !== "\\") {
      value += char;
      at++;
      continue;
    }
    const next = text.charAt(at + 1);
    if (Object.hasOwn(SIMPLE_ESCAPES, next)) {
      value += SIMPLE_ESCAPES[next];
      at += 2;
      continue;
    }
    NUMERIC_ESCAPE.lastIndex = at;
    const found = NUMERIC_ESCAPE.exec(text);
    const octal = found?.[4];
    const code = found === null ? -1 : octal ? parseInt(octal, 8) : parseInt(found[1] ?? found[2] ?? found[3]!, 16);
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || (octal && code > 255)) {
      return { kind: "bad", at, message: 'unknown escape in "double quotes"; in `backticks` a backslash needs none' };
    }
    value += String.fromCodePoint(code);
    at = NUMERIC_ESCAPE.lastIndex;
  }
}
