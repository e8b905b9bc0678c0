// The rule of routers that have none: a text with {{ expressions }} over a container's name and labels. Of Go's templates, which Traefik
// has here, it takes values, pipelines and the functions that name things; there are no conditions and no loops.

import { suggestion } from "../../text/spelling.ts";

/** What a template may say. */
export interface Described {
  /** What the default service is called after: Compose's service and project, a swarm's service, or the container's name. */
  readonly name: string;
  readonly containerName: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Template = (of: Described) => string;

export type ParsedTemplate =
  | { readonly kind: "ok"; readonly render: Template }
  | { readonly kind: "error"; readonly message: string };

/** Functions with the number of their arguments; the last one is what a pipeline hands on, as in Traefik. */
const FUNCTIONS: Readonly<Record<string, { readonly takes: number; run(...args: string[]): string }>> = {
  normalize: { takes: 1, run: normalize },
  lower: { takes: 1, run: (text) => text!.toLowerCase() },
  upper: { takes: 1, run: (text) => text!.toUpperCase() },
  trim: { takes: 1, run: (text) => text!.trim() },
  trimPrefix: { takes: 2, run: (prefix, text) => (text!.startsWith(prefix!) ? text!.slice(prefix!.length) : text!) },
  trimSuffix: {
    takes: 2,
    run: (suffix, text) => (text!.endsWith(suffix!) ? text!.slice(0, text!.length - suffix!.length) : text!),
  },
  replace: { takes: 3, run: (from, to, text) => (from === "" ? text! : text!.replaceAll(from!, () => to!)) },
  default: { takes: 2, run: (otherwise, text) => (text === "" ? otherwise! : text!) },
};

type Value = (of: Described) => string;
const KEYWORDS = ["if", "else", "end", "range", "with", "define", "template", "block"];

/** Everything that is neither a letter nor a digit becomes one dash, as in Traefik; none stands at an end. */
export function normalize(text: string): string {
  return text
    .split(/[^\p{L}\p{Nd}]+/u)
    .filter((part) => part !== "")
    .join("-");
}

/** Reads a template. Total: a text that is none gives an error. */
export function parseTemplate(text: string): ParsedTemplate {
  const parts: Value[] = [];
  let at = 0;
  try {
    for (;;) {
      const open = text.indexOf("{{", at);
      const literal = text.slice(at, open < 0 ? undefined : open);
      if (literal.includes("}}")) throw new Error('"}}" closes nothing');
      parts.push(() => literal);
      if (open < 0) break;
      const close = text.indexOf("}}", open);
      if (close < 0) throw new Error('"{{" is never closed');
      parts.push(pipeline(text.slice(open + 2, close).replace(/^-\s|\s-$/g, "")));
      at = close + 2;
    }
  } catch (error) {
    return { kind: "error", message: (error as Error).message };
  }
  return { kind: "ok", render: (of) => parts.map((part) => part(of)).join("") };
}

/** `.Name | trimPrefix "mqtt-" | normalize`. */
function pipeline(text: string): Value {
  const [first, ...rest] = split(text);
  if (first === undefined || first.length === 0) throw new Error("{{ }} has nothing in it");
  let value = command(first, null);
  for (const words of rest) value = command(words, value);
  return value;
}

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(\|)|([^\s|"`()]+)|(.))/gsy;

/** The words of each command of a pipeline. */
function split(text: string): string[][] {
  const commands: string[][] = [[]];
  for (const [, quoted, bar, word, other] of text.trim().matchAll(TOKEN)) {
    if (bar !== undefined) commands.push([]);
    else if (other !== undefined)
      throw new Error(`${other} is not understood: write a pipeline, as {{ .Name | lower }}`);
    else commands.at(-1)!.push((quoted ?? word)!);
  }
  return commands;
}

function command(words: readonly string[], piped: Value | null): Value {
  const [head, ...args] = words;
  if (head === undefined) throw new Error('there is nothing before or after a "|"');
  if (head === "index") return labelOf(args, piped);
  const known = Object.hasOwn(FUNCTIONS, head) ? FUNCTIONS[head] : undefined;
  if (known === undefined) {
    if (args.length > 0 || piped !== null) throw unknown(head);
    return operand(head);
  }
  const values = [...args.map(operand), ...(piped === null ? [] : [piped])];
  if (values.length !== known.takes)
    throw new Error(`${head} takes ${known.takes === 1 ? "one value" : `${known.takes} values`}`);
  return (of) => known.run(...values.map((value) => value(of)));
}

/** `index .Labels "name"`: a label that is not there is empty. */
function labelOf(args: readonly string[], piped: Value | null): Value {
  const [of, name] = args;
  if (of !== ".Labels" || args.length !== 2 || piped !== null || !/^["`]/.test(name!))
    throw new Error('index is for labels: {{ index .Labels "name" }}');
  const label = unquoted(name!);
  return ({ labels }) => (Object.hasOwn(labels, label) ? labels[label]! : "");
}

function operand(word: string): Value {
  if (/^["`]/.test(word)) {
    const text = unquoted(word);
    return () => text;
  }
  if (word === ".Name") return ({ name }) => name;
  if (word === ".ContainerName") return ({ containerName }) => containerName;
  const label = /^\.Labels\.(\w+)$/.exec(word)?.[1];
  if (label !== undefined) return ({ labels }) => (Object.hasOwn(labels, label) ? labels[label]! : "");
  throw unknown(word);
}

function unquoted(word: string): string {
  if (word.startsWith("`")) return word.slice(1, -1);
  try {
    return JSON.parse(word) as string;
  } catch {
    throw new Error(`${word} has an escape that is unknown`);
  }
}

function unknown(word: string): Error {
  if (KEYWORDS.includes(word)) return new Error(`conditions and loops are not built: "${word}" is not understood`);
  const names = [".Name", ".ContainerName", ".Labels", "index", ...Object.keys(FUNCTIONS)];
  return new Error(`"${word.slice(0, 40)}" is unknown${suggestion(word, names)}: there are ${names.join(", ")}`);
}
