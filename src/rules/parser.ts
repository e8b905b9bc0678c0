// Reads a rule such as HostSNI(`a.example.com`) && !ClientIP(`10.0.0.0/8`) into a tree, or says at which column it is wrong.
import type { Rule } from "./ast.ts";
import { columnAt, lex, type Token } from "./lexer.ts";
import { readMatcher } from "./matcher-syntax.ts";
import { bareValues, inV3, valuesOfV1 } from "./other-forms.ts";

export type { Facts, Rule } from "./ast.ts";

export type ParseResult =
  | { kind: "ok"; rule: Rule }
  /** `column` is 1-based, in the rule text, in characters (code points). */
  | { kind: "error"; column: number; message: string };

/** Characters. About a thousand host names of 60; a longer rule is a list that lost its way into a rule. */
export const MAX_RULE_LENGTH = 64 * 1024;
/** Parentheses and "!" inside one another. Keeps every recursion over a rule shallow, here and in the workers. */
export const MAX_RULE_DEPTH = 100;

/**
 * Reads a Traefik v3 TCP rule. Total: any text gives a rule or an error with a column, never an exception.
 * Grammar: one-value matcher calls, `!` before `&&` before `||`, parentheses. Wider than Traefik in one respect: an operator may
 * start a line (Go's semicolon rule makes that an error there).
 */
export function parseRule(text: string): ParseResult {
  if (text.length > MAX_RULE_LENGTH) {
    return { kind: "error", column: 1, message: `the rule has more than ${MAX_RULE_LENGTH} characters` };
  }
  const result = new Parser(text, lex(text)).parse();
  if (result.kind === "ok") return result;
  return { kind: "error", column: columnAt(text, result.at), message: result.message };
}

/**
 * The priority of a router that sets none: the UTF-8 length of its rule in bytes, except that a rule which is nothing but
 * HostSNI(`*`) has -1. Higher goes first (Traefik, "priority calculation").
 */
export function defaultPriority(text: string, rule: Rule): number {
  return rule.kind === "any" ? -1 : Buffer.byteLength(text);
}

type Parsed = { kind: "ok"; rule: Rule } | Failure;
type Failure = { kind: "error"; at: number; message: string };

const WORDS = new Map([
  ["and", "&&"],
  ["or", "||"],
  ["not", "!"],
]);

/** Where the text could not be read on, that is what is wrong, whatever was expected there. */
function fail(token: Token, message: string): Failure {
  return { kind: "error", at: token.at, message: token.kind === "bad" ? token.message : message };
}

/** How a token is named in a message. Only its kind or name is quoted: a value may be long. */
function shown(token: Token): string {
  if (token.kind === "end") return "the rule ends";
  if (token.kind === "string") return "found a value";
  return `found "${token.kind === "name" ? token.text.slice(0, 40) : token.kind}"`;
}

/** An empty text is one that a client of MQTT may send. */
function ofEmpty(matcher: string): string {
  const isText = matcher === "MQTTClientID" || matcher === "MQTTUsername";
  return isText ? `: for clients that send an empty one write ${matcher}Regexp(\`^$\`)` : "";
}

class Parser {
  readonly #text: string;
  readonly #tokens: Token[];
  #at = 0;

  constructor(text: string, tokens: Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  parse(): Parsed {
    if (this.#peek().kind === "end") return fail(this.#peek(), "the rule is empty");
    const parsed = this.#chain("||", 0);
    const rest = this.#peek();
    if (parsed.kind === "error" || rest.kind === "end") return parsed;
    if (rest.kind === ")") return fail(rest, 'this ")" closes nothing');
    const word = rest.kind === "name" ? WORDS.get(rest.text.toLowerCase()) : undefined;
    return fail(rest, word ? `write "${word}"` : `expected "&&" or "||", ${shown(rest)}`);
  }

  // The list ends with an "end" or a "bad" token which is never passed.
  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  /** One or more operands of `operator`; a chain stays flat, so its length does not add depth. */
  #chain(operator: "||" | "&&", depth: number): Parsed {
    const rules: Rule[] = [];
    for (;;) {
      const operand = operator === "||" ? this.#chain("&&", depth) : this.#unary(depth);
      if (operand.kind === "error") return operand;
      rules.push(operand.rule);
      if (this.#peek().kind !== operator) break;
      this.#at++;
    }
    if (rules.length === 1) return { kind: "ok", rule: rules[0]! };
    return { kind: "ok", rule: { kind: operator === "||" ? "or" : "and", rules } };
  }

  #unary(depth: number): Parsed {
    const token = this.#peek();
    if (depth >= MAX_RULE_DEPTH) return fail(token, `more than ${MAX_RULE_DEPTH} levels of "(" and "!"`);
    if (token.kind === "!") {
      this.#at++;
      const operand = this.#unary(depth + 1);
      return operand.kind === "error" ? operand : { kind: "ok", rule: { kind: "not", rule: operand.rule } };
    }
    if (token.kind === "(") {
      this.#at++;
      const inner = this.#chain("||", depth + 1);
      if (inner.kind === "error") return inner;
      if (this.#peek().kind !== ")") {
        const from = this.#peek();
        return fail(from, `expected ")", "&&" or "||", ${shown(from)}`);
      }
      this.#at++;
      return inner;
    }
    if (token.kind === "name") return this.#call(token);
    if (token.kind === "string")
      return fail(token, "a value stands inside a matcher, for example HostSNI(`a.example.com`)");
    return fail(token, `expected a matcher such as HostSNI(\`a.example.com\`), ${shown(token)}`);
  }

  #call(name: Token & { kind: "name" }): Parsed {
    const word = WORDS.get(name.text.toLowerCase());
    if (word) return fail(name, `write "${word}"`);
    this.#at++;
    const open = this.#peek();
    const matcher = readMatcher(name.text);
    if (matcher.kind === "error") return fail(name, this.#withExample(matcher, name.at + name.text.length, open));
    if (open.kind !== "(") return fail(open, `expected "(" after ${matcher.name}, ${shown(open)}`);
    this.#at++;
    const value = this.#peek();
    if (value.kind === ")") return fail(value, `${matcher.name} needs a value`);
    if (value.kind !== "string") return this.#unquoted(matcher.name, open, value);
    this.#at++;
    // Go allows a comma after the last argument.
    const comma = this.#peek();
    if (comma.kind === ",") this.#at++;
    const close = this.#peek();
    if (comma.kind === "," && close.kind === "string")
      return fail(close, this.#severalValues(matcher.name, value.text));
    if (close.kind !== ")") return fail(close, `expected ")" after the value, ${shown(close)}`);
    this.#at++;
    if (value.text === "")
      return fail(value, `${matcher.name} needs a value, this one is empty${ofEmpty(matcher.name)}`);
    const read = matcher.read(value.text);
    return read.kind === "error" ? fail(value, read.message) : read;
  }

  /** `HostSNI(a.example.com)`: the backticks were lost, often in a shell or a compose file. */
  #unquoted(matcher: string, open: Token, value: Token): Failure {
    const values = bareValues(this.#text, open.at + 1);
    const meant = values === null ? null : inV3(matcher, values);
    if (meant !== null)
      return { kind: "error", at: value.at, message: `a value is written in \`backticks\`: ${meant}` };
    const isQuoted = /^\s*[`"']/.test(this.#text.slice(open.at + 1));
    if (value.kind === "name" || (value.kind === "bad" && !isQuoted))
      return { kind: "error", at: value.at, message: "a value is written in `backticks`" };
    return fail(value, `expected a value in \`backticks\`, ${shown(value)}`);
  }

  /** A list of values, as in Traefik v2, from the second one on. */
  #severalValues(matcher: string, first: string): string {
    const values = [first];
    for (let token = this.#peek(); token.kind === "string" || token.kind === ","; token = this.#peek()) {
      if (token.kind === "string") values.push(token.text);
      this.#at++;
    }
    const meant = inV3(matcher, values);
    return `${matcher} takes one value, several are joined with "||"${meant === null ? "" : `: ${meant}`}`;
  }

  /** What an unknown matcher is answered with, and how its values would be written with the one that is meant. */
  #withExample({ message, meant }: { message: string; meant?: string }, end: number, open: Token): string {
    if (meant === undefined) return message;
    const value = this.#tokens[this.#at + 1];
    const quoted = open.kind === "(" && value?.kind === "string" ? [value.text] : null;
    const values = quoted ?? (open.kind === "(" ? bareValues(this.#text, open.at + 1) : valuesOfV1(this.#text, end));
    const example = values === null ? null : inV3(meant, values);
    return example === null ? message : `${message}: ${example}`;
  }
}
