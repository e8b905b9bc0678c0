// The configuration in force as YAML, each value with where it is from.

import { stringify } from "yaml";
import type { z } from "zod";
import { isContent } from "../certs/file-or-content.ts";
import { looksLikePem } from "../certs/pem-blocks.ts";
import type { Item, Merged } from "../compile/merge.ts";
import { formatPlace, type Place } from "../config/diagnostics.ts";
import { dynamicSchema } from "../config/dynamic.ts";
import { type FieldMeta, unwrap } from "../config/field.ts";
import { bareName } from "../config/names.ts";
import { formatDuration } from "../config/scalars.ts";
import type { Path } from "../config/source.ts";
import type { StaticConfig } from "../config/static.ts";
import { staticSchema } from "../config/static-schema.ts";
import { printable } from "../text/printable.ts";

/** Where a path is from; null for a default. */
type From = (path: Path) => Place | null;

/** The static configuration, defaults and what follows from other values included. */
export function renderStatic(config: StaticConfig): string {
  return ["# static configuration", ...render(staticSchema, config.value, (path) => config.from(...path))].join("\n");
}

/** The dynamic configuration of all sources together: of two equal names, the one that won. */
export function renderDynamic(merged: Merged): string {
  const {
    routers,
    services,
    middlewares,
    transports,
    options,
    certificates,
    certificateDirectories,
    defaultCertificate,
    defaultGenerated,
  } = merged;
  const values = <T>(items: ReadonlyMap<string, Item<T>>) =>
    Object.fromEntries([...shownItems(items)].map(([name, item]) => [name, item.value]));
  const stored = [
    { field: "defaultCertificate", item: defaultCertificate },
    { field: "defaultGeneratedCert", item: defaultGenerated },
  ].find((each): each is { field: string; item: Item<object> } => each.item !== null);
  const value = {
    tcp: {
      routers: values(routers),
      services: values(services),
      middlewares: values(middlewares),
      serversTransports: values(transports),
    },
    tls: {
      certificates: certificates.map((item) => item.value),
      certificateDirectories: certificateDirectories.map((item) => item.value),
      options: values(options),
      stores: stored === undefined ? {} : { default: { [stored.field]: stored.item.value } },
    },
  };
  const named: Record<string, ReadonlyMap<string, Item<unknown>>> = {
    routers: shownItems(routers),
    services: shownItems(services),
    middlewares: shownItems(middlewares),
    serversTransports: shownItems(transports),
    options: shownItems(options),
  };
  const listed: Record<string, readonly Item<unknown>[]> = { certificates, certificateDirectories };
  const from: From = ([, kind, name, ...rest]) => {
    if (name === undefined) return null;
    if (kind === "stores") return stored?.item.from(...rest.slice(1)) ?? null;
    const item = typeof name === "number" ? listed[kind!]?.[name] : named[kind!]?.get(name);
    return item?.from(...rest) ?? null;
  };
  return ["# dynamic configuration", ...render(dynamicSchema, value, from)].join("\n");
}

/** By their names as their files have them; by the full ones where two providers have the same. */
function shownItems<T>(items: ReadonlyMap<string, T>): Map<string, T> {
  const same = Map.groupBy(items.keys(), bareName);
  return new Map(
    [...items].map(([name, item]) => [same.get(bareName(name))!.length > 1 ? name : bareName(name), item]),
  );
}

function render(schema: z.ZodType, value: object, from: From): string[] {
  return new Renderer(from).object(schema, value as Record<string, unknown>, []);
}

class Renderer {
  readonly #from: From;

  constructor(from: From) {
    this.#from = from;
  }

  /** Its fields in the schema's order, without those that are not set and have no default. */
  object(schema: z.ZodType, value: Record<string, unknown>, path: Path): string[] {
    const { type } = unwrap(schema);
    const record = type.def.type === "record";
    const keys = record ? Object.keys(value) : Object.keys((type as z.ZodObject).shape);
    return keys.flatMap((key) => {
      const field = (record ? (type as z.ZodRecord).valueType : (type as z.ZodObject).shape[key]) as z.ZodType;
      return value[key] === undefined ? [] : this.#entry(`${quote(key)}:`, field, value[key], [...path, key]);
    });
  }

  /** A value behind `head`, which is `key:` or `-`. */
  #entry(head: string, schema: z.ZodType, value: unknown, path: Path): string[] {
    const { type, meta } = unwrap(schema);
    if (type.def.type === "unknown") return [];
    if (type.def.type === "array" && isObject((value as unknown[])[0])) {
      const element = (type as z.ZodArray).element as z.ZodType;
      const items = (value as object[]).flatMap((each, index) => {
        const lines = this.object(element, each as Record<string, unknown>, [...path, index]);
        return lines.map((line, at) => (at === 0 ? `  - ${line}` : `    ${line}`));
      });
      return [head, ...items];
    }
    if (isObject(value)) {
      const lines = this.object(schema, value as Record<string, unknown>, path);
      return lines.length === 0 ? [this.#commented(`${head} {}`, path)] : [head, ...lines.map((line) => `  ${line}`)];
    }
    const shown = Array.isArray(value)
      ? `[${value.map((each) => inList(scalar(each, meta))).join(", ")}]`
      : scalar(value, meta);
    return [this.#commented(`${head} ${shown}`, path)];
  }

  #commented(line: string, path: Path): string {
    const place = this.#from(path);
    return `${line}  # ${place === null ? "default" : printable(formatPlace(place))}`;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const SECRET = '"********"';

function scalar(value: unknown, meta: FieldMeta): string {
  if (typeof value !== "string") return meta.duration ? formatDuration(value as number) : String(value);
  if (meta.words?.includes(value)) return quote(value);
  // A key that has lost its BEGIN line, or its place, looks like a path.
  if (meta.secret && (meta.kind !== "file or content" || isContent(value))) return SECRET;
  const isText = looksLikePem(value) || value.includes("\n");
  return meta.kind === "file or content" && isText ? quote("(PEM in its place)") : quote(value);
}

/** Within brackets a comma or a bracket ends a plain word. */
function inList(shown: string): string {
  return !/^["']/.test(shown) && /[,[\]{}]/.test(shown) ? JSON.stringify(shown) : shown;
}

/** On one line, in quotes where YAML or a terminal needs them. */
function quote(text: string): string {
  const plain = stringify(text, { lineWidth: 0, blockQuote: false }).trimEnd();
  return plain === text && printable(text) === text && text !== "<<" ? text : printable(JSON.stringify(text));
}
