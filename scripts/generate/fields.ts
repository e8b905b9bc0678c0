// What the generators of schemas and pages ask of a field: src/config/field.ts has what is said of it.

import type { z } from "zod";
import { type Effect, type FieldMeta, unwrap } from "../../src/config/field.ts";
import { formatDuration } from "../../src/config/scalars.ts";

/** The default as one would write it; undefined where there is none, or where it is nothing at all. */
export function defaultOf(schema: z.ZodType): unknown {
  let type = schema;
  while (type.def.type === "optional" || type.def.type === "default" || type.def.type === "prefault") {
    if (type.def.type === "default") {
      const value = (type.def as unknown as { defaultValue: unknown }).defaultValue;
      if (value === "" || (typeof value === "object" && Object.keys(value as object).length === 0)) return undefined;
      return unwrap(schema).meta.duration ? formatDuration(value as number) : value;
    }
    type = (type as z.ZodOptional<z.ZodType>).def.innerType;
  }
  return undefined;
}

/** It must be there, be it that the decoder says so or what is made of it. */
export function isRequired(schema: z.ZodType): boolean {
  const outer = schema.def.type;
  return (
    unwrap(schema).meta.otherwise === "required" || !["optional", "default", "prefault", "unknown"].includes(outer)
  );
}

/** The objects that may be under a field, by what stands between its name and theirs; null for anything else. */
export function within(schema: z.ZodType): { object: z.ZodObject; through: "" | "<name>" | "[]" } | null {
  const { type } = unwrap(schema);
  const inner = (child: unknown) => unwrap(child as z.ZodType).type;
  if (type.def.type === "object") return { object: type as z.ZodObject, through: "" };
  if (type.def.type === "record") {
    const value = inner((type as z.ZodRecord).valueType);
    return value.def.type === "object" ? { object: value as z.ZodObject, through: "<name>" } : null;
  }
  if (type.def.type !== "array") return null;
  const element = inner((type as z.ZodArray).element);
  return element.def.type === "object" ? { object: element as z.ZodObject, through: "[]" } : null;
}

export interface Field {
  /** As in Traefik's documentation: `entryPoints.<name>.address`, `tls.certificates[].certFile`. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly meta: FieldMeta;
}

/** Every field under an object, parents before children. */
export function* fieldsOf(object: z.ZodObject, path = ""): Generator<Field> {
  for (const [name, child] of Object.entries(object.shape as Record<string, z.ZodType>)) {
    const here = path === "" ? name : `${path}.${name}`;
    yield { path: here, schema: child, meta: unwrap(child).meta };
    const inner = within(child);
    if (inner !== null) yield* fieldsOf(inner.object, here + separated(inner.through));
  }
}

export function separated(through: "" | "<name>" | "[]"): string {
  return through === "<name>" ? ".<name>" : through;
}

/** What happens to a file that has a field which Sluice lacks. */
export function what(effect: Effect, which: "static" | "dynamic"): string {
  if (effect === "warn") return "a warning says so";
  return effect === "off" && which === "dynamic" ? "what has it is off, with an error" : "the file is refused";
}

/** Markdown without its links. */
export function plainText(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)\s]+\)/g, "$1");
}
