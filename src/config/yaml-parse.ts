// A text as YAML: the fast parser takes what is right, and the careful one says what is wrong with the rest.

import { parseFast, type Refused } from "./yaml-events.ts";
import { type Mistake, refusalInWords } from "./yaml-mistakes.ts";
import type { YamlText } from "./yaml-text.ts";

/** Characters. A second of a slow machine, whatever nonsense they are. */
const MAX_CAREFUL = 64 * 1024;
/** Of these each value needs one at least. 100 000 routers, each with a service of its own, have a million, or nearly two in JSON. */
export const MAX_INDICATORS = 2_000_000;

export type ParsedYaml =
  | { readonly kind: "ok"; readonly text: YamlText }
  | { readonly kind: "wrong"; readonly mistakes: readonly Mistake[] }
  /** What is from here on is too much. */
  | { readonly kind: "too-large"; readonly at: number };

export function parseYaml(text: string): ParsedYaml {
  const at = tooManyFrom(text);
  if (at !== null) return firstMistake(text) ?? { kind: "too-large", at };
  const parsed = parseFast(text);
  switch (parsed.kind) {
    case "unusual":
      return carefully(text);
    case "refused":
      return text.length <= MAX_CAREFUL ? carefully(text) : refusal(parsed);
    default:
      return parsed;
  }
}

/** Nonsense is wrong from its beginning, and that says more than where it is too much. */
function firstMistake(text: string): ParsedYaml | null {
  const head = text.slice(0, MAX_CAREFUL);
  const parsed = parseFast(head);
  if (parsed.kind === "wrong") return parsed;
  return parsed.kind === "refused" && parsed.at < head.length ? refusal(parsed) : null;
}

function refusal({ at, reason }: Refused): ParsedYaml {
  return { kind: "wrong", mistakes: [{ at, message: refusalInWords(reason) }] };
}

/** Its parser is loaded when it is needed: nearly never. */
function carefully(source: string): ParsedYaml {
  const { parseCarefully } = require("./yaml-careful.ts") as typeof import("./yaml-careful.ts");
  const mistakes: Mistake[] = [];
  const text = parseCarefully(source, mistakes);
  return text === null ? { kind: "wrong", mistakes } : { kind: "ok", text };
}

/** Where a text has more values than are read: it may be small and hold millions, which would take seconds and gigabytes. */
function tooManyFrom(text: string): number | null {
  if (text.length <= MAX_INDICATORS) return null;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case COMMA:
      case BRACKET:
      case BRACE:
        count++;
        break;
      case COLON:
      case DASH:
      case QUESTION:
        if (isSpace(text.charCodeAt(at + 1))) count++;
        break;
    }
    if (count > MAX_INDICATORS) return at;
  }
  return null;
}

const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const COLON = 0x3a;
const DASH = 0x2d;
const QUESTION = 0x3f;

/** Behind the last character there is one too: NaN. */
function isSpace(code: number): boolean {
  return !(code > 0x20);
}
