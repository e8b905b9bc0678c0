// YAML to plain values in the way of Traefik's decoder, steered by a zod schema: keys without case, null is absent, scalars are
// read by the type that is wanted, a scalar may stand for a list of one, an unknown key is an error where it stands.

import type { z } from "zod";
import { suggestion } from "../text/spelling.ts";
import type { Code } from "./codes.ts";
import type { Diagnostics, Place } from "./diagnostics.ts";
import { type Effect, type FieldMeta, fieldNames, unwrap } from "./field.ts";
import { foreignWord } from "./foreign-words.ts";
import { describeNode, quoted, quotedName } from "./quoting.ts";
import { parseBool, parseDuration } from "./scalars.ts";
import type { Path, SourceFile } from "./source.ts";
import { subjectAt } from "./subject.ts";
import { isList, isMap, isNothing, isScalar, type YamlNode, type YamlPair, type YamlScalar } from "./yaml-nodes.ts";

export interface Unsupported {
  readonly path: Path;
  readonly effect: Effect;
  readonly why: string;
  readonly place: Place;
  /** Where it is neither a field that Sluice lacks nor one that it ignores. */
  readonly code?: Code;
}

export interface Decoded<T> {
  readonly value: T;
  readonly unsupported: readonly Unsupported[];
}

/** Aliases can make a small file unfold into a huge tree (the "billion laughs"). 100 000 routers with services are half of this. */
const MAX_NODES = 2_000_000;
const MAX_DEPTH = 64;
/** From here on the faster parser pays off: 100 routers or so. */
const MANY_NODES = 2000;

/** Decodes a file's root; `provider` is whose it is, null for the static one. Everything wrong goes to `diagnostics` with its place; null when there was any error. */
export function decode<S extends z.ZodType>(
  schema: S,
  source: SourceFile,
  diagnostics: Diagnostics,
  provider: string | null = null,
): Decoded<z.output<S>> | null {
  const before = diagnostics.errors;
  const walk = new Walk(source, diagnostics, provider);
  const raw = source.root === null ? {} : (walk.value(schema, source.root, []) ?? {});
  if (source.isCutShort) walk.tooLarge(source.root!);
  if (diagnostics.errors > before) return null;
  // zod writes itself a faster parser at the first use of a schema, which costs more than a small file.
  const parsed = schema.safeParse(raw, { jitless: walk.nodes < MANY_NODES });
  if (parsed.success) return { value: parsed.data, unsupported: walk.unsupported };
  const problems = parsed.error.issues.map((issue) => {
    const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
    return { code: codeOf(issue), path, place: source.locate(path), message: `${label(path)} ${inWords(issue)}` };
  });
  problems.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  for (const { code, path, place, message } of problems)
    diagnostics.error(code, place, message, subjectAt(path, provider));
  return null;
}

/** A schema's own check may name its code: `params: { code }`. */
function codeOf(issue: z.core.$ZodIssue): Code {
  if (issue.code === "invalid_type") return "field-missing";
  return (issue.code === "custom" && (issue.params?.code as Code | undefined)) || "field-value";
}

/** zod's own messages speak of types; an operator reads what to write instead. A schema's message begins with a verb. */
function inWords(issue: z.core.$ZodIssue): string {
  const what = (size: unknown, origin: string) =>
    origin === "string" ? `${size} characters` : `${size} ${size === 1 ? "entry" : "entries"}`;
  switch (issue.code) {
    case "invalid_type":
      return "is missing";
    case "too_small":
      if (issue.message.startsWith("must ")) return issue.message;
      if (issue.origin !== "string" && issue.origin !== "array") return `must be at least ${issue.minimum}`;
      return issue.minimum === 1 ? "must not be empty" : `needs at least ${what(issue.minimum, issue.origin)}`;
    case "too_big":
      if (issue.origin !== "string" && issue.origin !== "array") return `must be at most ${issue.maximum}`;
      return `takes at most ${what(issue.maximum, issue.origin)}`;
    default:
      return issue.message;
  }
}

class Walk {
  readonly unsupported: Unsupported[] = [];
  readonly #source: SourceFile;
  readonly #diagnostics: Diagnostics;
  readonly #provider: string | null;
  /** Read so far. */
  nodes = 0;

  constructor(source: SourceFile, diagnostics: Diagnostics, provider: string | null) {
    this.#provider = provider;
    this.#source = source;
    this.#diagnostics = diagnostics;
  }

  value(schema: z.ZodType, node: YamlNode, path: Path): unknown {
    if (++this.nodes > MAX_NODES || path.length > MAX_DEPTH) {
      if (this.nodes <= MAX_NODES + 1) this.tooLarge(node);
      this.nodes = MAX_NODES + 1;
      return undefined;
    }
    if (isNothing(node)) return undefined;
    const { type, meta } = unwrap(schema);
    switch (type.def.type) {
      case "object":
        return this.#object(type as z.ZodObject, meta, node, path);
      case "record":
        return this.#record(type as z.ZodRecord, node, path);
      case "array":
        return this.#array(type as z.ZodArray, node, path);
      case "unknown":
        return undefined;
      default:
        return this.#scalar(type, meta, node, path);
    }
  }

  tooLarge(node: YamlNode): void {
    this.#error("file-too-large", node, [], "the file unfolds into more than Sluice reads: are its aliases nested?");
  }

  #object(type: z.ZodObject, meta: FieldMeta, node: YamlNode, path: Path): unknown {
    if (isScalar(node)) {
      const on = meta.allowEmpty ? parseBool(node.text) : null;
      if (on !== null) return on ? {} : undefined;
      if (meta.scalarKey !== undefined) {
        this.#source.standsFor(path, meta.scalarKey);
        const field = type.shape[meta.scalarKey] as z.ZodType;
        const words = meta.allowEmpty ? unwrap(field).type : null;
        if (words?.def.type === "enum") return this.#switch(words as z.ZodEnum, meta.scalarKey, node, path);
        return { [meta.scalarKey]: this.value(field, node, path) };
      }
    }
    if (!isMap(node)) {
      // A variable or a flag has no line, and cannot hold a mapping.
      const single = meta.allowEmpty && this.#source.place(node).line === 0;
      const wanted = single ? "true or false, or set field by field" : "a mapping";
      return this.#error("field-type", node, path, `${label(path)} must be ${wanted}, not ${describeNode(node, type)}`);
    }
    const keys = fieldNames(type);
    const seen = new Set<string>();
    const result: Record<string, unknown> = {};
    for (const pair of this.#source.pairs(node)) {
      const keyNode = pair.key;
      const written = isScalar(keyNode) ? keyNode.text : "";
      const key = keys.get(written.toLowerCase());
      if (key === undefined) {
        const foreign = foreignWord(path, written);
        const meant = foreign === null ? suggestion(written, keys.values()) : `: ${foreign}`;
        const name = quotedName(written, type);
        this.#error("unknown-field", keyNode, path, `unknown field ${name}${inside(path)}${meant}`);
        continue;
      }
      if (seen.has(key)) this.#error("field-twice", keyNode, path, `"${written}" is given twice${inside(path)}`);
      seen.add(key);
      const child = this.#source.target(pair.value);
      const field = type.shape[key] as z.ZodType;
      if (isNothing(child)) {
        const empty = this.#nothing(field, keyNode, [...path, key]);
        if (empty !== undefined) result[key] = empty;
        continue;
      }
      const lacking = unwrap(field).meta.unsupported;
      if (lacking) {
        const place = this.#source.place(keyNode);
        // Switched off, or a list of nothing: there is nothing to lack.
        if (isScalar(child) && parseBool(child.text) === false) continue;
        if (isList(child) && child.items.length === 0) continue;
        const at = [...path, key];
        // At once: what else is wrong, or missing because of it, must not hide the way out.
        if (lacking.effect === "error") {
          this.#error("field-unsupported", keyNode, at, `${at.join(".")} ${lacking.why}`);
          continue;
        }
        this.unsupported.push({ path: at, ...lacking, place });
        continue;
      }
      const value = this.value(field, child, [...path, key]);
      if (value !== undefined) result[key] = value;
    }
    return result;
  }

  /** A word that stands for a field of something that can be on and off too. */
  #switch(type: z.ZodEnum, key: string, node: YamlNode, path: Path): unknown {
    const options = type.options as string[];
    const written = (node as YamlScalar).text;
    const word = options.find((option) => option.toLowerCase() === written.toLowerCase());
    if (word !== undefined) return { [key]: word };
    const wanted = `true, false, one of ${options.join(", ")}, or a mapping`;
    return this.#error("field-value", node, path, `${label(path)} must be ${wanted}, not ${quoted(written)}`);
  }

  /** A key with nothing behind it is absent, as in Traefik. Where that is not the same as `{}`, it is often a mistake. @returns what it is instead. */
  #nothing(field: z.ZodType, keyNode: YamlNode, path: Path): object | undefined {
    const { type, meta } = unwrap(field);
    if (meta.nothingIsEmpty) return type.def.type === "array" ? [] : {};
    if (meta.nothingIsWrong)
      return this.#error(
        "field-missing",
        keyNode,
        path,
        `${label(path)} has nothing behind it: give it a value, or remove the line`,
      );
    if (field.def.type === "optional" && meta.allowEmpty)
      this.#diagnostics.warn(
        "section-empty",
        this.#source.place(keyNode),
        `${label(path)} has nothing behind it, and counts as not given: remove it, or write  ${path.at(-1)}: {}  to have it with defaults`,
        subjectAt(path, this.#provider),
      );
    return undefined;
  }

  #record(type: z.ZodRecord, node: YamlNode, path: Path): unknown {
    if (!isMap(node))
      return this.#error(
        "field-type",
        node,
        path,
        `${label(path)} must be a mapping of names, not ${describeNode(node, type)}`,
      );
    const seen = new Set<string>();
    const result: Record<string, unknown> = {};
    for (const pair of this.#source.pairs(node)) {
      const name = isScalar(pair.key) ? pair.key.text : "";
      if (name === "" || name === "__proto__") {
        this.#error("name-invalid", pair.key, path, `"${name}" cannot be a name${inside(path)}`);
        continue;
      }
      if (seen.has(name))
        this.#error("field-twice", pair.key, [...path, name], `"${name}" is given twice${inside(path)}`);
      seen.add(name);
      const child = this.#source.target(pair.value);
      // A null entry, `mqtt:` with nothing behind it, is an entry with defaults in Traefik too.
      const empty = isNothing(child);
      const value = empty ? {} : this.value(type.valueType as z.ZodType, child, [...path, name]);
      // There may be 100 000 such entries.
      this.#source.forget(child);
      if (value !== undefined) result[name] = value;
    }
    return result;
  }

  #array(type: z.ZodArray, node: YamlNode, path: Path): unknown {
    const element = type.element as z.ZodType;
    if (isList(node)) {
      return node.items.map((item, index) => {
        const child = this.#source.target(item);
        if (isNothing(child)) return this.#error("field-missing", child, path, `${label([...path, index])} is empty`);
        return this.value(element, child, [...path, index]);
      });
    }
    const elementType = unwrap(element);
    if (isScalar(node) && elementType.type.def.type !== "object") {
      return node.text
        .split(",")
        .map((part) => this.#convert(elementType.type, elementType.meta, part.trim(), node, path));
    }
    return this.#error("field-type", node, path, `${label(path)} must be a list, not ${describeNode(node, type)}`);
  }

  #scalar(type: z.ZodType, meta: FieldMeta, node: YamlNode, path: Path): unknown {
    if (!isScalar(node))
      return this.#error(
        "field-type",
        node,
        path,
        `${label(path)} must be a single value, not ${describeNode(node, type)}${inBraces(node, meta.secret ?? false)}`,
      );
    return this.#convert(type, meta, node.text, node, path);
  }

  #convert(type: z.ZodType, meta: FieldMeta, written: string, node: YamlNode, path: Path): unknown {
    const wrong = (wanted: string) =>
      this.#error(
        "field-value",
        node,
        path,
        `${label(path)} must be ${wanted}${meta.secret ? "" : `, not ${quoted(written)}`}`,
      );
    switch (type.def.type) {
      case "boolean":
        return parseBool(written) ?? wrong("true or false");
      case "number":
        if (meta.duration)
          return parseDuration(written) ?? wrong("a duration such as 10s, 250ms or 1m30s (a bare number is seconds)");
        return /^[+-]?\d{1,30}$/.test(written) ? Number(written) : wrong("a whole number");
      case "enum": {
        const options = (type as z.ZodEnum).options as string[];
        const match = options.find((option) => option.toLowerCase() === written.toLowerCase());
        return match ?? wrong(`one of ${options.join(", ")}`);
      }
      default:
        return written;
    }
  }

  #error(code: Code, node: YamlNode | null, path: Path, message: string): undefined {
    this.#diagnostics.error(code, this.#source.place(node), message, subjectAt(path, this.#provider));
  }
}

/** `{cert.cn}` without quotes is a mapping in YAML, which nobody means where one value is wanted. */
function inBraces(node: YamlNode, isSecret: boolean): string {
  if (!isMap(node) || !node.isFlow || node.items.length !== 1) return "";
  const [{ key, value }] = node.items as [YamlPair];
  if (!isNothing(value) || !isScalar(key)) return "";
  return isSecret ? ": write it in quotes" : `: write it in quotes, as ${quoted(`{${key.text}}`)}`;
}

function label(path: Path): string {
  return path.length === 0 ? "the file" : path.join(".");
}

function inside(path: Path): string {
  return path.length === 0 ? "" : ` in ${path.join(".")}`;
}
