// The JSON Schemas of the two configurations, for editors: what src/config/decode.ts accepts, as far as draft-07 can say it.
//
// A field is one flat schema with a list of types and no anyOf, because editors show the mistakes of such a one where they are:
// JSON Schema's keywords only speak of their own type, so `minimum` and `pattern` can stand side by side.

import type { z } from "zod";
import { type FieldMeta, unwrap } from "../../src/config/field.ts";
import { DURATION_PARTS, FALSE_WORDS, NAMED_PORTS, TRUE_WORDS } from "../../src/config/scalars.ts";
import { defaultOf, isRequired, plainText, what } from "./fields.ts";

export type JsonSchema = { [keyword: string]: unknown };

/** The longest duration that decode.ts takes, in seconds. */
const MAX_SECONDS = Math.floor(0x7fffffff / 1000);

const COMMENT =
  "Made by `npm run generate` from src/config: do not edit. Sluice takes field names in any case; JSON Schema cannot say that, so only the documented spelling is here. What only a whole configuration can show, such as a service that does not exist, is found by `sluice check`.";

export function jsonSchema(schema: z.ZodObject, which: "static" | "dynamic"): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $comment: COMMENT,
    title: `Sluice, ${which} configuration`,
    ...new Generator(which).shape(schema, true),
  };
}

class Generator {
  readonly #which: "static" | "dynamic";

  constructor(which: "static" | "dynamic") {
    this.#which = which;
  }

  /** What is said of the field and what it accepts. */
  field(schema: z.ZodType, nullable: boolean): JsonSchema {
    const { meta } = unwrap(schema);
    if (meta.unsupported !== undefined) return this.#unsupported(meta.unsupported);
    if (meta.elsewhere !== undefined)
      return { description: `Belongs to the ${meta.elsewhere} configuration, and is not read from here.` };
    const byDefault = defaultOf(schema);
    return {
      ...(meta.description !== undefined && described(schema, meta)),
      ...(byDefault !== undefined && { default: byDefault }),
      ...(meta.example !== undefined && { examples: [meta.example] }),
      ...(meta.secret && { writeOnly: true }),
      ...this.shape(schema, nullable),
    };
  }

  shape(schema: z.ZodType, nullable: boolean): JsonSchema {
    const { type, meta } = unwrap(schema);
    const orNull = nullable && takesNothing(type, meta) ? ["null"] : [];
    switch (type.def.type) {
      case "object":
        return this.#object(type as z.ZodObject, meta, orNull);
      case "record": {
        const entry = (type as z.ZodRecord).valueType as z.ZodType;
        return {
          type: ["object", ...orNull],
          propertyNames: { minLength: 1 },
          // `mqtt:` with nothing behind it is an entry with defaults.
          additionalProperties: this.field(entry, !needsSomething(entry)),
        };
      }
      case "array":
        return this.#array(type as z.ZodArray, meta, orNull);
      case "boolean":
        return {
          type: ["boolean", "integer", "string", ...orNull],
          minimum: 0,
          maximum: 1,
          pattern: `^(?:${[...TRUE_WORDS, ...FALSE_WORDS].join("|")})$`,
          patternErrorMessage: "must be true or false",
        };
      case "number":
        return meta.duration ? duration(type as z.ZodNumber, orNull) : number(type as z.ZodNumber, orNull);
      case "enum": {
        const words = (type as z.ZodEnum).options as string[];
        const inAny = { type: ["string", ...orNull], pattern: `^(?:${words.map(inAnyCase).join("|")})$` };
        return { anyOf: [{ enum: [...words, ...numbersIn(words)] }, inAny] };
      }
      default:
        return text(type as z.ZodString, meta, orNull);
    }
  }

  #object(type: z.ZodObject, meta: FieldMeta, orNull: readonly string[]): JsonSchema {
    const fields = Object.entries(type.shape as Record<string, z.ZodType>);
    const required = fields.filter(([, field]) => isRequired(field)).map(([name]) => name);
    const { scalarKey, allowEmpty, oneOf } = meta;
    const properties = Object.fromEntries(fields.map(([name, field]) => [name, this.field(field, !isRequired(field))]));
    const body = {
      ...(required.length > 0 && { required }),
      ...(oneOf !== undefined && {
        anyOf: oneOf.map((name) => ({ required: [name], properties: { [name]: { not: { type: "null" } } } })),
      }),
      additionalProperties: false,
      properties,
    };
    if (scalarKey !== undefined) {
      const scalar = unwrap(type.shape[scalarKey] as z.ZodType);
      if (scalar.type.def.type === "enum")
        return this.#words(scalar.type as z.ZodEnum, allowEmpty ?? false, body, orNull);
      const { type: types, ...limits } = text(scalar.type as z.ZodString, scalar.meta, orNull);
      return { type: ["object", ...(types as string[])], ...limits, ...body };
    }
    if (!allowEmpty) return { type: ["object", ...orNull], ...body };
    // Without what it needs, a section cannot be "on, with defaults".
    const words = required.length > 0 ? FALSE_WORDS : [...TRUE_WORDS, ...FALSE_WORDS];
    return {
      type: ["object", "boolean", "integer", "string", ...orNull],
      ...(required.length > 0 && { not: { const: true } }),
      minimum: 0,
      maximum: required.length > 0 ? 0 : 1,
      pattern: `^(?:${words.join("|")})$`,
      patternErrorMessage: "must be a mapping",
      ...body,
    };
  }

  /** An object for which a word may stand, and true or false too where that turns it on or off. */
  #words(type: z.ZodEnum, allowEmpty: boolean, body: JsonSchema, orNull: readonly string[]): JsonSchema {
    const words = type.options as string[];
    const own = words.map(inAnyCase);
    const all = allowEmpty ? [...TRUE_WORDS, ...FALSE_WORDS, ...own] : own;
    return {
      type: ["object", ...(allowEmpty ? ["boolean", "integer"] : []), "string", ...orNull],
      ...(allowEmpty && { minimum: 0, maximum: 1 }),
      pattern: `^(?:${all.join("|")})$`,
      patternErrorMessage: `must be ${allowEmpty ? "true, false or " : ""}one of ${words.join(", ")}`,
      ...body,
    };
  }

  #array(type: z.ZodArray, meta: FieldMeta, orNull: readonly string[]): JsonSchema {
    const element = type.element as z.ZodType;
    const least = checks(type).find((check) => check.check === "min_length")?.minimum;
    const list = {
      ...(least !== undefined && { minItems: least }),
      items: this.field(element, false),
    };
    if (unwrap(element).type.def.type === "object") return { type: ["array", ...orNull], ...list };
    const of = unwrap(element).type;
    if (of.def.type === "enum") {
      const words = (of as z.ZodEnum).options as string[];
      const word = `\\s*(?:${words.map(inAnyCase).join("|")})\\s*`;
      const listed = { type: ["array", "string", ...orNull], ...list, pattern: `^${word}(?:,${word})*$` };
      // One of them alone, that YAML takes for a number.
      const numbers = numbersIn(words);
      return numbers.length === 0 ? listed : { anyOf: [listed, { enum: numbers }] };
    }
    // One word, or several with commas between them, none of them empty where an entry must not be.
    const { type: types, minLength } = text(unwrap(element).type as z.ZodString, meta, orNull);
    const item = minLength === undefined ? "[^,]*" : "[^,]*[^,\\s][^,]*";
    return { type: ["array", ...(types as string[])], ...list, pattern: `^${item}(?:,${item})*$` };
  }

  #unsupported({ effect, why }: NonNullable<FieldMeta["unsupported"]>): JsonSchema {
    const refused = effect === "error" || (effect === "off" && this.#which === "static");
    const happens = what(effect, this.#which);
    const sentence = `${happens[0]!.toUpperCase()}${happens.slice(1)}.`;
    return {
      description: `A field of Traefik's that ${why}. ${sentence}`,
      deprecated: true,
      deprecationMessage: `This field ${why}`,
      doNotSuggest: true,
      // Switched off there is nothing to lack.
      ...(refused && { enum: [false, null, []] }),
    };
  }
}

/** The YAML language server escapes the backticks of a plain description; beside one in Markdown it is not used. */
function described(schema: z.ZodType, meta: FieldMeta): JsonSchema {
  const markdown = sentences(schema, meta);
  return { description: markdown, ...(markdown.includes("`") && { markdownDescription: markdown }) };
}

function sentences(schema: z.ZodType, meta: FieldMeta): string {
  const parts = [plainText(meta.description!)];
  if (meta.unit !== undefined) parts.push(`Unit: ${meta.unit}.`);
  if (isRequired(schema)) parts.push("Required.");
  else if (meta.otherwise !== undefined) parts.push(`Default: ${plainText(meta.otherwise)}.`);
  return parts.join(" ");
}

/** Whether there may be nothing behind the field: not where that is the same as an empty value, and such a value is none. */
function takesNothing(type: z.ZodType, { nothingIsEmpty, nothingIsWrong }: FieldMeta): boolean {
  if (nothingIsWrong) return false;
  if (!nothingIsEmpty || type.def.type === "object") return true;
  return type.def.type === "array" && !checks(type).some((check) => check.check === "min_length");
}

/** Whether an entry with nothing behind its name is a mistake. */
function needsSomething(entry: z.ZodType): boolean {
  const { type, meta } = unwrap(entry);
  if (type.def.type !== "object") return true;
  return (
    meta.oneOf !== undefined ||
    Object.values((type as z.ZodObject).shape).some((field) => isRequired(field as z.ZodType))
  );
}

interface Check {
  readonly check: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly value?: number;
  readonly inclusive?: boolean;
  readonly format?: string;
  readonly pattern?: RegExp;
}

function checks(type: z.ZodType): readonly Check[] {
  return ((type.def as { checks?: { _zod: { def: Check } }[] }).checks ?? []).map((each) => each._zod.def);
}

function bounds(type: z.ZodNumber): { minimum?: number; maximum?: number } {
  const of = (name: string) => checks(type).find((check) => check.check === name)?.value;
  const minimum = of("greater_than");
  const maximum = of("less_than");
  return {
    ...(minimum !== undefined && Number.isFinite(minimum) && { minimum }),
    ...(maximum !== undefined && Number.isFinite(maximum) && { maximum }),
  };
}

function number(type: z.ZodNumber, orNull: readonly string[]): JsonSchema {
  const { minimum = Number.NEGATIVE_INFINITY } = bounds(type);
  const digits = minimum >= 1 ? `\\+?0*${atLeast(minimum)}` : minimum >= 0 ? "\\+?[0-9]{1,30}" : "[+-]?[0-9]{1,30}";
  return {
    type: ["integer", "string", ...orNull],
    ...bounds(type),
    pattern: `^${digits}$`,
    patternErrorMessage: "must be a whole number",
  };
}

/** Digits without zeros before them, of a number that is not below a positive one. */
function atLeast(minimum: number): string {
  const digits = String(minimum);
  const longer = `[1-9][0-9]{${digits.length},29}`;
  if (minimum === 1) return "[1-9][0-9]{0,29}";
  const above = [...digits].map((digit, at) => {
    const rest = digits.length - at - 1;
    return digit === "9" ? null : `${digits.slice(0, at)}[${Number(digit) + 1}-9][0-9]{${rest}}`;
  });
  return `(?:${[longer, ...above.filter((each) => each !== null), digits].join("|")})`;
}

function duration(type: z.ZodNumber, orNull: readonly string[]): JsonSchema {
  const least = bounds(type).minimum;
  const sign = least === undefined ? "[+-]?" : "\\+?";
  const nonzero = least !== undefined && least > 0 ? "(?=[^1-9]*[1-9])" : "";
  return {
    type: ["integer", "string", ...orNull],
    minimum: least === undefined ? -MAX_SECONDS : Math.ceil(least / 1000),
    maximum: MAX_SECONDS,
    pattern: `^${nonzero}${sign}(?:\\d{1,7}|${DURATION_PARTS})$`,
    patternErrorMessage: "must be a duration such as 10s, 250ms or 1m30s (a bare number is seconds)",
  };
}

const PORT_NUMBER = "(?:[0-5]?\\d{1,4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])";
const PORT = `(?:${PORT_NUMBER}|${Object.keys(NAMED_PORTS).map(inAnyCase).join("|")})`;
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
/** What is numbers and dots is an IPv4 address: isNoHost in src/text/host-name.ts. */
const NUMBERS = `(?:${OCTET}(?:\\.${OCTET}){3}:|(?!\\.*\\d[\\d.]*:))`;
/** A host, or an IPv6 one in brackets, then the port: parseHostPort in src/config/scalars.ts. */
const ADDRESS = `(?:\\[[0-9a-zA-Z_:.%]*\\]|(?=${NUMBERS})[^:\\[\\]\\s/]*):${PORT}(?:/[tT][cC][pP])?`;

/** parseUnixSocket in src/config/unix-socket.ts, but for the length of the path. */
const UNIX_SOCKET = "[uU][nN][iI][xX]:///[^\\x00-\\x1f\\x7f]*[^/\\x00-\\x1f\\x7f]";

function text(type: z.ZodString, { kind, numbers }: FieldMeta, orNull: readonly string[]): JsonSchema {
  const of = (name: string) => checks(type).find((check) => check.check === name);
  const regex = of("string_format")?.pattern;
  const minLength = of("min_length")?.minimum;
  const maxLength = of("max_length")?.maximum;
  let pattern: string | undefined;
  let message: string | undefined;
  if (kind === "address") {
    pattern = `^${ADDRESS}$`;
    message = "must be host:port, :port or [IPv6]:port";
  } else if (kind === "address or port") {
    pattern = `^(?!(?:.*:)?0+(?:/[tT][cC][pP])?$)(?:${PORT}|${ADDRESS}|${UNIX_SOCKET})$`;
    message = "must be host:port, a port, or unix:///path";
  } else if (kind === "port") pattern = `^(?!0+$)${PORT}$`;
  else if (kind === "https URL") pattern = "^https://[^/]";
  else if (regex !== undefined) pattern = regex.flags.includes("i") ? inAnyCase(regex.source) : regex.source;
  // A text may look like a number or like a boolean to YAML: it is taken as it is written.
  const types =
    pattern === undefined
      ? ["string", "number", "boolean"]
      : numbers === undefined
        ? ["string"]
        : ["string", "integer"];
  return {
    type: [...types, ...orNull],
    ...(numbers !== undefined && { minimum: numbers[0], maximum: numbers[1] }),
    ...(minLength !== undefined && { minLength }),
    ...(maxLength !== undefined && { maxLength }),
    ...(pattern !== undefined && { pattern }),
    ...(message !== undefined && { patternErrorMessage: message }),
  };
}

/** A pattern without character classes of letters, so that each of its letters is there in both cases. */
function inAnyCase(pattern: string): string {
  return pattern.replace(/\\.|[a-z]/gi, (each) =>
    each.startsWith("\\") ? each : `[${each.toLowerCase()}${each.toUpperCase()}]`,
  );
}

/** Words that YAML takes for numbers where they stand without quotes. */
function numbersIn(words: readonly string[]): number[] {
  return words.map(Number).filter((number) => !Number.isNaN(number));
}
