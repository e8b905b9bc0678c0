// What a message may repeat of a configuration: a value that is secret, or may be one in the wrong place, never, and of a long one its
// beginning.

import type { z } from "zod";
import { unwrap } from "./field.ts";
import { isList, isMap, isScalar, type YamlNode } from "./yaml-nodes.ts";

/** Longer values and names are cut, so that a file of another kind, or of one line, fills no screen. Characters. */
const MAX_SHOWN = 100;
/** A name as fields have it; a secret that stands in the place of one is seldom like this. */
const FIELD_NAME = /^[A-Za-z_][\w-]{0,39}/;

const known = new WeakMap<z.ZodType, boolean>();

/** Whether a schema is of a secret, or there is one anywhere in it. */
function holdsSecret(schema: z.ZodType): boolean {
  let holds = known.get(schema);
  if (holds === undefined) {
    const { type, meta } = unwrap(schema);
    holds = meta.secret === true || partsOf(type).some(holdsSecret);
    known.set(schema, holds);
  }
  return holds;
}

function partsOf(type: z.ZodType): z.ZodType[] {
  switch (type.def.type) {
    case "object":
      return Object.values((type as z.ZodObject).shape) as z.ZodType[];
    case "record":
      return [(type as z.ZodRecord).valueType as z.ZodType];
    case "array":
      return [(type as z.ZodArray).element as z.ZodType];
    default:
      return [];
  }
}

/** What stands where `schema` is wanted, for a message. */
export function describeNode(node: YamlNode, schema: z.ZodType): string {
  if (isMap(node)) return "a mapping";
  if (isList(node)) return "a list";
  if (!isScalar(node)) return "this";
  return holdsSecret(schema) ? "a single value" : quoted(node.text);
}

/** A value that is not secret. */
export function quoted(text: string): string {
  return `"${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text}"`;
}

/** The name of a field that does not exist in `schema`: beside secrets only as far as it is a name, as of `password:secret`. */
export function quotedName(name: string, schema: z.ZodType): string {
  if (!holdsSecret(schema)) return quoted(name);
  const [start = ""] = FIELD_NAME.exec(name) ?? [];
  const isWhole = start === name;
  return isWhole || /^[\s:=]/.test(name.slice(start.length)) ? `"${start}${isWhole ? "" : "..."}"` : "of another kind";
}
