// Which containers count, by their labels: Label(`edge`, `mqtt`) && !LabelRegex(`stage`, `^test`). Traefik's language, with its functions.

import { columnAt, lex, type Token } from "../../rules/lexer.ts";
import { compileRe2, type Re2 } from "../../text/re2.ts";
import { suggestion } from "../../text/spelling.ts";

/** What an expression asks of labels. Names of labels are case-sensitive here, and a label that is missing is empty, as in Traefik. */
export type Constraint = (labels: Readonly<Record<string, string>>) => boolean;

export type ParsedConstraint =
  | { readonly kind: "ok"; readonly holds: Constraint }
  /** `column` is 1-based, in characters. */
  | { readonly kind: "error"; readonly column: number; readonly message: string };

const FUNCTIONS = ["Label", "LabelRegex"] as const;
const MAX_LENGTH = 16 * 1024;
const MAX_DEPTH = 100;
/** A label's value that is longer matches no regular expression. */
const MAX_MATCHED = 4096;

/** Reads an expression; an empty one is true of everything. Total: any text gives a constraint or an error with its column. */
export function parseConstraints(text: string): ParsedConstraint {
  if (text.trim() === "") return { kind: "ok", holds: () => true };
  if (text.length > MAX_LENGTH)
    return { kind: "error", column: 1, message: `it has more than ${MAX_LENGTH} characters` };
  const parser = new Parser(lex(text));
  try {
    return { kind: "ok", holds: parser.whole() };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { kind: "error", column: columnAt(text, error.at), message: error.message };
  }
}

class Wrong extends Error {
  readonly at: number;

  constructor(token: Token, message: string) {
    super(token.kind === "bad" ? token.message : message);
    this.at = token.at;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Constraint {
    const holds = this.#either(0);
    if (this.#next().kind !== "end") throw new Wrong(this.#next(), 'expected "&&" or "||"');
    return holds;
  }

  // The last token is "end" or "bad", which nothing passes.
  #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #take<K extends Token["kind"]>(kind: K, wanted: string): Token & { kind: K } {
    const token = this.#next();
    if (token.kind !== kind) throw new Wrong(token, `expected ${wanted}`);
    this.#at++;
    return token as Token & { kind: K };
  }

  #either(depth: number): Constraint {
    const all = [this.#both(depth)];
    for (; this.#next().kind === "||"; ) {
      this.#at++;
      all.push(this.#both(depth));
    }
    return all.length === 1 ? all[0]! : (labels) => all.some((each) => each(labels));
  }

  #both(depth: number): Constraint {
    const all = [this.#one(depth)];
    for (; this.#next().kind === "&&"; ) {
      this.#at++;
      all.push(this.#one(depth));
    }
    return all.length === 1 ? all[0]! : (labels) => all.every((each) => each(labels));
  }

  #one(depth: number): Constraint {
    const token = this.#next();
    if (depth > MAX_DEPTH) throw new Wrong(token, `more than ${MAX_DEPTH} levels of "(" and "!"`);
    if (token.kind === "!") {
      this.#at++;
      const holds = this.#one(depth + 1);
      return (labels) => !holds(labels);
    }
    if (token.kind === "(") {
      this.#at++;
      const holds = this.#either(depth + 1);
      this.#take(")", '")", "&&" or "||"');
      return holds;
    }
    return this.#call();
  }

  #call(): Constraint {
    const name = this.#take("name", "Label(`name`, `value`) or LabelRegex(`name`, `regexp`)");
    const known = FUNCTIONS.find((each) => each.toLowerCase() === name.text.toLowerCase());
    if (known === undefined)
      throw new Wrong(
        name,
        `"${name.text.slice(0, 40)}" is unknown${suggestion(name.text, FUNCTIONS)}: there are Label and LabelRegex`,
      );
    const two = `${known} takes two values, as in ${known}(\`name\`, \`value\`)`;
    this.#take("(", `"(" after ${known}`);
    const { text: label } = this.#take("string", `the label's name in \`backticks\`: ${two}`);
    this.#take(",", `a comma: ${two}`);
    const value = this.#take("string", `the value in \`backticks\`: ${two}`);
    if (this.#next().kind === ",") this.#at++;
    this.#take(")", `")": ${two}`);
    if (known === "Label") return (labels) => labelOf(labels, label) === value.text;
    const pattern = compiled(value);
    return (labels) => {
      const text = labelOf(labels, label);
      return text.length <= MAX_MATCHED && pattern.matcher(text).find();
    };
  }
}

function compiled(value: Token & { kind: "string" }): Re2 {
  try {
    return compileRe2(value.text);
  } catch (error) {
    throw new Wrong(value, `the regular expression is not one: ${(error as Error).message}`);
  }
}

function labelOf(labels: Readonly<Record<string, string>>, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : "";
}
