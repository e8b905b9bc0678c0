// A decoded value as it may be shown: durations as one writes them, secrets covered, without fields that Sluice lacks.

import type { z } from "zod";
import { looksLikePem } from "../certs/pem-blocks.ts";
import { type FieldMeta, unwrap } from "./field.ts";
import { formatDuration } from "./scalars.ts";

export const COVERED = "********";

/** As plain data, ready for JSON. What is not set and has no default is left out. */
export function shown(schema: z.ZodType, value: unknown): unknown {
  const { type, meta } = unwrap(schema);
  if (value === undefined || type.def.type === "unknown") return undefined;
  if (value === null || typeof value !== "object") return scalar(value, meta);
  if (Array.isArray(value)) {
    if (type.def.type !== "array") return undefined;
    const element = (type as z.ZodArray).element as z.ZodType;
    return value.map((each) => (isObject(each) ? shown(element, each) : scalar(each, meta)));
  }
  const fieldOf = fieldsOf(type);
  if (fieldOf === null) return undefined;
  const result: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    const field = fieldOf(key);
    const inside = field === undefined ? undefined : shown(field, each);
    if (inside !== undefined) result[key] = inside;
  }
  return result;
}

function fieldsOf(type: z.ZodType): ((key: string) => z.ZodType | undefined) | null {
  if (type.def.type === "record") return () => (type as z.ZodRecord).valueType as z.ZodType;
  return type.def.type === "object" ? (key) => (type as z.ZodObject).shape[key] as z.ZodType | undefined : null;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalar(value: unknown, meta: FieldMeta): unknown {
  if (typeof value === "number" && meta.duration) return formatDuration(value);
  if (typeof value !== "string" || meta.words?.includes(value)) return value;
  if (meta.kind === "file or content") return looksLikePem(value) || value.includes("\n") ? COVERED : value;
  return meta.secret ? COVERED : value;
}
