// The reference pages: every field of a configuration, a table for each part of it.

import type { z } from "zod";
import { unwrap } from "../../src/config/field.ts";
import { defaultOf, type Field, fieldsOf, isRequired, separated, what, within } from "./fields.ts";
import { code, link, table } from "./markdown.ts";

const HEADS = {
  static: `# Static configuration: every field

What the static configuration is and how values are written is in [Configuration](../configuration.md). \`<name>\` is a name of your
choice, \`[]\` an entry of a list, numbered from 0 as \`[n]\` and \`_n_\`. A section is on with \`{}\`.`,
  dynamic: `# Dynamic configuration: every field

What the dynamic configuration is, how values are written and how rules work is in [Configuration](../configuration.md). \`<name>\` is a
name of your choice, \`[]\` an entry of a list. A section is on with \`{}\`.`,
};

/** A part of the configuration with a heading of its own. */
interface Part extends Field {
  readonly rows: readonly Field[];
}

export function referencePage(schema: z.ZodObject, which: "static" | "dynamic"): string {
  const parts = partsOf(schema);
  const lacking = [...fieldsOf(schema)].filter(({ meta }) => meta.unsupported !== undefined);
  const links = [...parts.map(({ path }) => path), LACKING].map((title) => `- [${title}](#${anchor(title)})`);
  const page = [
    HEADS[which],
    links.join("\n"),
    ...parts.map((part) => section(part, which, parts)),
    `## ${LACKING}

Traefik's, and known, but not built here: see [Traefik compatibility](../traefik-compatibility.md). Switched off (\`false\`) or as an
empty list such a field says nothing.

${table(
  ["field", "what happens", "because it"],
  lacking.map(({ path, meta }) => [code(path), what(meta.unsupported!.effect, which), meta.unsupported!.why]),
)}`,
  ];
  return `${page.join("\n\n")}\n`;
}

const LACKING = "Fields that Sluice lacks";

/** One for each root field; for a root that only gathers others, one for each of these. */
function partsOf(schema: z.ZodObject): Part[] {
  const described = (object: z.ZodObject, path: string) =>
    Object.entries(object.shape as Record<string, z.ZodType>)
      .map(([name, child]) => ({ path: path + name, schema: child, meta: unwrap(child).meta }))
      .filter(({ meta }) => meta.description !== undefined);
  return described(schema, "").flatMap((root): Part[] => {
    const inner = within(root.schema);
    const children = inner?.through === "" ? described(inner.object, `${root.path}.`) : [];
    const gathers = children.length > 0 && children.every((child) => (within(child.schema)?.through ?? "") !== "");
    return (gathers ? children : [root]).map((part) => ({ ...part, rows: [...rowsOf(part)] }));
  });
}

function* rowsOf(part: Field): Generator<Field> {
  const inner = within(part.schema);
  // A switch, or a value of its own.
  if (inner === null || part.schema.def.type === "optional") yield part;
  if (inner !== null) yield* fieldsOf(inner.object, part.path + separated(inner.through));
}

function section(part: Part, which: "static" | "dynamic", parts: readonly Part[]): string {
  const own = (each: Field) => each.path === part.path;
  const rows = part.rows.filter(
    ({ path, meta }) => meta.description !== undefined && elsewhere(path, part, parts) === null,
  );
  const single = within(part.schema) === null;
  const pieces = [
    `## ${part.path}`,
    ...(single ? [] : [link(part.meta.description!)]),
    table(
      ["field", "type", "default", "meaning"],
      rows.map((each) => [
        code(each.path),
        typeOf(each.schema),
        byDefault(each.schema),
        meaning(each, own(each) && !single, part, parts),
      ]),
    ),
  ];
  if (which === "static") {
    const written = rows.filter(({ schema }) => within(schema) === null || schema.def.type === "optional");
    pieces.push(
      table(
        ["flag", "environment variable"],
        written.map(({ path }) => [code(flag(path)), code(variable(path))]),
      ),
    );
  }
  return pieces.join("\n\n");
}

/** The part that documents the same object, where a field is under one that another part has already. */
function elsewhere(path: string, part: Part, parts: readonly Part[]): Part | null {
  for (const row of part.rows) {
    const same = sameAs(row, part, parts);
    if (same !== null && path.startsWith(`${row.path}.`)) return same;
  }
  return null;
}

function sameAs(row: Field, part: Part, parts: readonly Part[]): Part | null {
  const object = within(row.schema)?.object;
  if (object === undefined) return null;
  return parts.find((other) => other.path !== part.path && within(other.schema)?.object === object) ?? null;
}

function meaning(field: Field, isPart: boolean, part: Part, parts: readonly Part[]): string {
  const { meta } = field;
  const pieces = [isPart ? switchedOn(field, part) : link(meta.description!)];
  if (meta.secret) pieces.push(meta.kind === "file or content" ? "Content is secret." : "Secret.");
  const same = sameAs(field, part, parts);
  if (same !== null) pieces.push(`Its fields are those of [${same.path}](#${anchor(same.path)}).`);
  if (meta.example !== undefined) pieces.push(`Example: ${code(flow(meta.example))}`);
  return pieces.join(" ");
}

function switchedOn({ meta }: Field, part: Part): string {
  if (!meta.allowEmpty) return "On with any of its fields.";
  const alone = part.rows.every((row) => row.path === part.path || row.meta.description === undefined);
  return alone ? "On with `{}`." : "On with `{}`, or with any of its fields.";
}

function typeOf(schema: z.ZodType): string {
  const { type, meta } = unwrap(schema);
  const inner = within(schema);
  if (inner?.through === "") return "section";
  if (inner?.through === "<name>") return "names";
  if (inner?.through === "[]") return "list of sections";
  const unit = meta.unit === undefined ? "" : ` of ${meta.unit}`;
  switch (type.def.type) {
    case "record":
      return "texts by name";
    case "array":
      return `list of ${meta.kind === undefined ? "words" : meta.kind === "file" || meta.kind === "network" ? `${meta.kind}s` : meta.kind}`;
    case "boolean":
      return "boolean";
    case "number":
      return meta.duration ? "duration" : `whole number${unit}${range(type as z.ZodNumber)}`;
    case "enum":
      return ((type as z.ZodEnum).options as string[]).map(code).join(", ");
    default:
      return (meta.kind ?? "text") + (meta.unit === undefined ? "" : ` or number${unit}`);
  }
}

function range(type: z.ZodNumber): string {
  const { minValue, maxValue } = type;
  const known = (value: number | null) => value !== null && Number.isFinite(value) && Math.abs(value) < 2 ** 53 - 1;
  if (known(minValue) && known(maxValue)) return `, ${minValue} to ${maxValue}`;
  return "";
}

function byDefault(schema: z.ZodType): string {
  const { meta } = unwrap(schema);
  if (isRequired(schema)) return "required";
  if (meta.otherwise !== undefined) return link(meta.otherwise);
  const value = defaultOf(schema);
  return value === undefined ? "" : code(flow(value, ""));
}

/** A value as YAML on one line. */
function flow(value: unknown, brackets = "[]"): string {
  const word = (each: unknown) => (typeof each === "string" && /^[*:]|: |^$/.test(each) ? `"${each}"` : String(each));
  if (typeof value === "object" && !Array.isArray(value))
    return `{ ${Object.entries(value as object)
      .map(([name, each]) => `${name}: ${word(each)}`)
      .join(", ")} }`;
  if (!Array.isArray(value)) return word(value);
  return `${brackets[0] ?? ""}${value.map(word).join(", ")}${brackets[1] ?? ""}`;
}

/** `--entryPoints.<name>.address`; entries of lists are counted. */
function flag(path: string): string {
  return `--${path.replaceAll("[]", "[n]")}`;
}

/** `SLUICE_ENTRYPOINTS_<NAME>_ADDRESS`. */
function variable(path: string): string {
  return `SLUICE_${path
    .replaceAll("[]", ".n")
    .split(".")
    .map((step) => (step === "n" ? step : step.toUpperCase()))
    .join("_")}`;
}

function anchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}
