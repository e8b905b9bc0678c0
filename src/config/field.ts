// What a schema says of its fields beside their types: the kinds of field that schemas are made of, and how to ask what is said.

import { z } from "zod";

/** What becomes of the object that carries a known field which Sluice lacks. */
export type Effect = "off" | "warn" | "error";

/** What is said of a field beside its type: read by the decoder, by JSON Schema, by the reference and by whoever prints it. */
export interface FieldMeta {
  /** What it means, in Markdown; links are relative to docs/. */
  description?: string;
  /** A value as one would write it. */
  example?: unknown;
  /** What holds without the field, in words: where the schema has no default, or one that says too little. */
  otherwise?: string;
  /** What a number counts. */
  unit?: string;
  /** What a text stands for. */
  kind?: Kind;
  /** A text that may also be a whole number: from, to. */
  numbers?: readonly [number, number];
  /** It is or may hold a password or a private key: with a kind of "file or content", the content does and a path does not. */
  secret?: boolean;
  /** Values of a secret field that give nothing away. */
  words?: readonly string[];
  /** The number is a duration in milliseconds. */
  duration?: boolean;
  /** `x: {}` and `x: true` mean "on, with defaults"; `x: false` means absent. */
  allowEmpty?: boolean;
  /** With nothing behind it the field is empty (`{}` or `[]`, a text is missing), and not absent as others are. */
  nothingIsEmpty?: boolean;
  /** With nothing behind it the field is an error: taken for absent, as others are, it would let in more than was meant. */
  nothingIsWrong?: boolean;
  /** The field is Traefik's, but not built here. */
  unsupported?: { effect: Effect; why: string };
  /** The field is read from files of the other kind of configuration. */
  elsewhere?: "static" | "dynamic";
  /** A scalar stands for this key of the object. */
  scalarKey?: string;
  /** One of these keys must be there. */
  oneOf?: readonly string[];
}

export type Kind =
  | "address"
  | "port"
  | "address or port"
  | "https URL"
  | "network"
  | "file"
  | "directory"
  | "file or content"
  | "command";

/** A field with what it means, in front of its type as a comment would be. */
export const field = <T extends z.ZodType>(
  description: string,
  schema: T,
  more: Omit<FieldMeta, "description"> = {},
): T => schema.meta({ description, ...more } satisfies FieldMeta) as T;
/** A root key of the other configuration, which the same file may hold: anything may be in it, and it is not read here. */
export const otherHalf = (elsewhere: "static" | "dynamic") =>
  z
    .unknown()
    .optional()
    .meta({ elsewhere } satisfies FieldMeta);

/** A duration, in milliseconds once decoded; `message` is for one below `least`. */
export const duration = (least = Number.NEGATIVE_INFINITY, message?: string) =>
  z
    .number()
    .min(least, message)
    .meta({ duration: true } satisfies FieldMeta);
/** An object that may be written as `{}` or `true`. */
export const section = <T extends z.ZodRawShape>(shape: T) =>
  z.object(shape).meta({ allowEmpty: true } satisfies FieldMeta);
/** Why a field has no effect that could have one. */
export const LATER = "is not built into Sluice yet and is ignored";
/** A field of Traefik's that Sluice knows but lacks: `off` disables what carries it, `warn` says so, `error` refuses the file. */
export const unsupported = (effect: Effect, why: string) =>
  z
    .unknown()
    .optional()
    .meta({ unsupported: { effect, why } } satisfies FieldMeta);

interface Unwrapped {
  readonly type: z.ZodType;
  readonly meta: FieldMeta;
}

/** Kept: zod puts a schema's metadata together anew each time it is asked, a fifth of the time of decoding. */
const unwrapped = new WeakMap<z.ZodType, Unwrapped>();

/** The type within `optional` and `default`, and what all of these layers say; of two that say the same thing the outer one counts. */
export function unwrap(schema: z.ZodType): Unwrapped {
  let known = unwrapped.get(schema);
  if (known === undefined) {
    let type = schema;
    let meta = { ...type.meta() } as FieldMeta;
    while (type.def.type === "optional" || type.def.type === "default" || type.def.type === "prefault") {
      type = (type as z.ZodOptional<z.ZodType>).def.innerType;
      meta = { ...(type.meta() as FieldMeta | undefined), ...meta };
    }
    known = { type, meta };
    unwrapped.set(schema, known);
  }
  return known;
}

const fieldNamesOf = new WeakMap<z.ZodType, Map<string, string>>();

/** The fields of an object, by their names in lower case. */
export function fieldNames(type: z.ZodObject): Map<string, string> {
  let names = fieldNamesOf.get(type);
  if (names === undefined) {
    names = new Map(Object.keys(type.shape).map((key) => [key.toLowerCase(), key]));
    fieldNamesOf.set(type, names);
  }
  return names;
}
