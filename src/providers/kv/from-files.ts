// Files of the dynamic configuration as what a store would hold: a path and a value for each setting, as they are written.

import { z } from "zod";
import { dynamicSchema } from "../../config/dynamic.ts";
import { fieldNames, unwrap } from "../../config/field.ts";
import { parseBool } from "../../config/scalars.ts";
import type { SourceFile } from "../../config/source.ts";
import { isList, isMap, isNothing, isScalar, type YamlNode } from "../../config/yaml-nodes.ts";
import type { Entry } from "../engine.ts";

/** What files give together, one after the other: lists go on where the one before has ended. */
export class FileEntries {
  readonly entries: Entry[] = [];
  readonly #lengths = new Map<string, number>();
  readonly #names = new Map<string, string>();
  /** Parts that an earlier file has already, and that count there. */
  readonly twice: { readonly path: string; readonly file: string; readonly first: string }[] = [];
  /** Names that no store can hold, because its paths are made with slashes. */
  readonly unnamable: Entry[] = [];

  take(source: SourceFile): void {
    for (const root of ["tcp", "tls"] as const)
      for (const [section, node] of this.#children(source, source.root, root)) {
        const { shape } = unwrap(dynamicSchema.shape[root]).type as z.ZodObject;
        const name = fieldNames(unwrap(dynamicSchema.shape[root]).type as z.ZodObject).get(section.toLowerCase());
        if (name !== undefined) this.#section(source, [root, name], shape[name] as z.ZodType, node);
      }
  }

  #section(source: SourceFile, path: readonly string[], schema: z.ZodType, node: YamlNode): void {
    const walk = new Walk(source, this.entries);
    const { type } = unwrap(schema);
    const id = path.join("/");
    if (type.def.type === "array") {
      const first = this.#lengths.get(id) ?? 0;
      const items = isList(node) ? node.items : isNothing(node) ? [] : [node];
      for (const [index, item] of items.entries())
        walk.value((type as z.ZodArray).element as z.ZodType, source.target(item), [...path, String(first + index)]);
      this.#lengths.set(id, first + items.length);
      return;
    }
    if (!isMap(node)) return;
    for (const { key, value } of source.pairs(node)) {
      const name = isScalar(key) ? key.text : "";
      const part = [...path, name];
      const former = this.#names.get(part.join("/"));
      if (former !== undefined) {
        this.twice.push({ path: part.join("."), file: source.name, first: former });
        continue;
      }
      this.#names.set(part.join("/"), source.name);
      if (/[/@]/.test(name)) this.unnamable.push({ path: part.join("/"), value: "", place: walk.placeOf(key) });
      else walk.value((type as z.ZodRecord).valueType as z.ZodType, source.target(value), part);
    }
  }

  #children(source: SourceFile, node: YamlNode | null, name: string): [string, YamlNode][] {
    if (!isMap(node)) return [];
    const pair = source.pairs(node).find(({ key }) => isScalar(key) && key.text.toLowerCase() === name);
    const inside = pair === undefined ? null : source.target(pair.value);
    if (!isMap(inside)) return [];
    return source.pairs(inside).flatMap(({ key, value }): [string, YamlNode][] => {
      const target = source.target(value);
      return isScalar(key) && target !== null ? [[key.text, target]] : [];
    });
  }
}

const ANYTHING = z.unknown();

class Walk {
  readonly #source: SourceFile;
  readonly #into: Entry[];

  constructor(source: SourceFile, into: Entry[]) {
    this.#source = source;
    this.#into = into;
  }

  placeOf(node: YamlNode | null): string {
    const { file, line, column } = this.#source.place(node);
    return `${file}:${line}:${column}`;
  }

  value(schema: z.ZodType, node: YamlNode | null, path: readonly string[]): void {
    const { type, meta } = unwrap(schema);
    const isPart = path.length === 3;
    if (node === null || isNothing(node)) {
      if (meta.nothingIsEmpty) this.#put(path, type.def.type === "array" ? "" : "true", node);
      else if (isPart) this.#empty(schema, path, node);
      return;
    }
    if (isScalar(node)) {
      const on = meta.allowEmpty && type.def.type === "object" ? parseBool(node.text) : null;
      if (on === false && !isPart) return;
      this.#put(path, on === true ? "true" : node.text, node);
      return;
    }
    if (type.def.type === "unknown") return this.#put(path, "true", node);
    const before = this.#into.length;
    if (isList(node)) {
      const element = type.def.type === "array" ? ((type as z.ZodArray).element as z.ZodType) : ANYTHING;
      for (const [index, item] of node.items.entries())
        this.value(element, this.#source.target(item), [...path, String(index)]);
      if (node.items.length === 0) this.#put(path, "", node);
      return;
    }
    if (!isMap(node)) return;
    const names = type.def.type === "object" ? fieldNames(type as z.ZodObject) : null;
    for (const { key, value } of this.#source.pairs(node)) {
      const written = isScalar(key) ? key.text : "";
      const name = names?.get(written.toLowerCase()) ?? written;
      const field =
        names === null
          ? type.def.type === "record"
            ? ((type as z.ZodRecord).valueType as z.ZodType)
            : ANYTHING
          : ((type as z.ZodObject).shape[name] as z.ZodType | undefined);
      this.value(field ?? ANYTHING, this.#source.target(value), [...path, name]);
    }
    if (this.#into.length === before) this.#empty(schema, path, node);
  }

  /** Something with defaults alone. A store has no empty parts, so one of the defaults stands for it. */
  #empty(schema: z.ZodType, path: readonly string[], node: YamlNode | null): void {
    const { type, meta } = unwrap(schema);
    if (meta.allowEmpty) return this.#put(path, "true", node);
    if (type.def.type !== "object") return;
    const fields = Object.entries((type as z.ZodObject).shape as Record<string, z.ZodType>);
    const [name] = fields.find(([, field]) => unwrap(field).type.def.type === "boolean") ?? [];
    if (name !== undefined) this.#put([...path, name], "false", node);
  }

  #put(path: readonly string[], value: string, node: YamlNode | null): void {
    this.#into.push({ path: path.join("/"), value, place: this.placeOf(node) });
  }
}
