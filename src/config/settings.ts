// Single values of a configuration that are given outside its file, by names such as entryPoints.mqtts.address: found in the schema, and
// put over what the file says. How variables and flags are written is in variables.ts and flags.ts.

import type { z } from "zod";
import { didYouMean } from "../text/spelling.ts";
import type { Code } from "./codes.ts";
import type { Diagnostics, Place } from "./diagnostics.ts";
import { fieldNames, unwrap } from "./field.ts";
import { parseBool } from "./scalars.ts";
import type { Path, SourceFile } from "./source.ts";

export type Resolved =
  | { readonly kind: "ok"; readonly path: Path; readonly type: z.ZodType }
  /** The word at `at` is not known after `path`; `meant` would be. */
  | { readonly kind: "unknown"; readonly at: number; readonly path: Path; readonly meant: string | null }
  /** It leads to a section, which a single value cannot be. */
  | { readonly kind: "section"; readonly path: Path }
  /** A list of `length` entries has none with this index, and it is not the next one. */
  | { readonly kind: "index"; readonly path: Path; readonly length: number }
  /** It is of the other configuration. */
  | { readonly kind: "dynamic"; readonly root: string };

/**
 * What the words of a name stand for. Case is ignored. A name that the user chooses may itself contain `joiner`: then as many words as
 * needed are taken for it, those of an entry that is there already first.
 */
export function resolve(schema: z.ZodType, words: readonly string[], joiner: "_" | ".", source: SourceFile): Resolved {
  const walk = (from: z.ZodType, at: number, path: Path): Resolved => {
    const { type, meta } = unwrap(from);
    const word = words[at];
    const kind = type.def.type;
    if (kind === "unknown") {
      if (!meta.unsupported) return { kind: "dynamic", root: String(path[0]) };
      // With all that is named in it: only the field itself can be switched off.
      return { kind: "ok", path: [...path, ...words.slice(at)], type };
    }
    if (word === undefined) {
      if (kind === "object" && meta.scalarKey !== undefined) {
        source.standsFor(path, meta.scalarKey);
        const field = (type as z.ZodObject).shape[meta.scalarKey] as z.ZodType;
        return { kind: "ok", path: [...path, meta.scalarKey], type: unwrap(field).type };
      }
      const single = kind === "object" ? meta.allowEmpty === true : kind !== "record" && !isListOfObjects(type);
      return single ? { kind: "ok", path, type } : { kind: "section", path };
    }
    switch (kind) {
      case "object": {
        const fields = fieldNames(type as z.ZodObject);
        const field = fields.get(word.toLowerCase());
        if (field === undefined) return { kind: "unknown", at, path, meant: didYouMean(word, fields.values()) };
        if (meta.scalarKey !== undefined) source.standsFor(path, meta.scalarKey);
        return walk((type as z.ZodObject).shape[field] as z.ZodType, at + 1, [...path, field]);
      }
      case "record": {
        let failure: Resolved | null = null;
        let lacking: Resolved | null = null;
        for (const { name, count } of namesFrom(source.namesAt(path), words.slice(at), joiner)) {
          const resolved = walk((type as z.ZodRecord).valueType as z.ZodType, at + count, [...path, name]);
          if (resolved.kind !== "ok") failure ??= resolved;
          // An entry point may be called mqtt_http, and Traefik's have a field http, which Sluice lacks.
          else if (resolved.type.def.type === "unknown") lacking ??= resolved;
          else return resolved;
        }
        return lacking ?? failure!;
      }
      case "array": {
        const length = source.lengthAt(path);
        if (!isListOfObjects(type) || !/^\d{1,6}$/.test(word)) return { kind: "unknown", at, path, meant: null };
        if (Number(word) > length) return { kind: "index", path, length };
        return walk((type as z.ZodArray).element as z.ZodType, at + 1, [...path, Number(word)]);
      }
      default:
        return { kind: "unknown", at, path, meant: null };
    }
  };
  return walk(schema, 0, []);
}

/** How a name may be spelled: in a variable a dash or a dot is an underscore. */
function normalise(name: string, joiner: "_" | "."): string {
  return joiner === "_" ? name.toLowerCase().replace(/[^a-z0-9]/g, "_") : name.toLowerCase();
}

/** Of so many a name may be put together: each number of them is tried. */
const MAX_WORDS = 32;

/** Names that `words` may begin with, the likeliest first. */
function namesFrom(
  known: readonly string[],
  words: readonly string[],
  joiner: "_" | ".",
): { name: string; count: number }[] {
  const spelled = words
    .slice(0, MAX_WORDS)
    .map((_, index) => ({ name: words.slice(0, index + 1).join(joiner), count: index + 1 }));
  const normal = known.map((each) => normalise(each, joiner));
  const there = spelled.flatMap(({ name, count }) => {
    const at = known.includes(name) ? known.indexOf(name) : normal.indexOf(normalise(name, joiner));
    return at < 0 ? [] : [{ name: known[at]!, count }];
  });
  const fresh = spelled.map(({ name, count }) => ({ name: joiner === "_" ? name.toLowerCase() : name, count }));
  return [...there.toReversed(), ...fresh];
}

function isListOfObjects(type: z.ZodType): boolean {
  return type.def.type === "array" && unwrap((type as z.ZodArray).element as z.ZodType).type.def.type === "object";
}

/** Whether a value for it is a list of words, which may be given in several parts. */
export function isList({ type }: { readonly type: z.ZodType }): boolean {
  return type.def.type === "array";
}

/** Whether it may be given without a value, which then is `true`. */
export function isSwitch({ type }: { readonly type: z.ZodType }): boolean {
  return type.def.type === "boolean" || type.def.type === "object" || type.def.type === "unknown";
}

/** Puts the value in its place. A section that is switched on keeps what is set in it. */
export function put(
  { path, type }: Extract<Resolved, { kind: "ok" }>,
  text: string,
  place: Place,
  source: SourceFile,
): void {
  const keeps = type.def.type === "object" && parseBool(text) === true && source.isMapping(path);
  if (!keeps) source.set(path, text, place);
}

/** Says what is wrong with a name. `spell` writes words as such a name, for the one that was probably meant. */
export function complain(
  resolved: Exclude<Resolved, { kind: "ok" }>,
  what: "variable" | "flag",
  words: readonly string[],
  spell: (words: readonly string[]) => string,
  place: Place,
  diagnostics: Diagnostics,
): void {
  const problem = (code: Code, message: string) => diagnostics.error(code, place, message);
  switch (resolved.kind) {
    case "unknown": {
      const { at, path, meant } = resolved;
      const where = path.length === 0 ? "the static configuration has" : `${dotted(path)} has`;
      const hint = meant === null ? "" : ` (did you mean "${spell(words.with(at, meant))}"?)`;
      return problem("setting-unknown", `unknown ${what}: ${where} no "${words[at]}"${hint}`);
    }
    case "section":
      return problem(
        "setting-incomplete",
        `${dotted(resolved.path)} is a section: the ${what} must name a field in it`,
      );
    case "index":
      return problem(
        "setting-incomplete",
        `the list ${dotted(resolved.path)} has ${resolved.length} entries: the next index is ${resolved.length}`,
      );
    case "dynamic":
      return problem(
        "setting-unknown",
        `${resolved.root} belongs to the dynamic configuration, which comes from files: see providers.file`,
      );
  }
}

/** A path as it is written in flags: entryPoints.mqtts.address, certificates[0].certFile. */
export function dotted(path: Path): string {
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : `${index > 0 ? "." : ""}${step}`))
    .join("");
}
