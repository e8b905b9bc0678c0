// Entries of a store (one key, one value each) as a tree that the decoder of files reads, steered by its schema: which digits are an index
// and which a name, which value switches a section on, what a folder is. Each node has the place of its entry.

import { z } from "zod";
import type { Diagnostics, Place, Subject } from "../config/diagnostics.ts";
import { fieldNames, unwrap } from "../config/field.ts";
import { FALSE_WORDS, TRUE_WORDS } from "../config/scalars.ts";
import { type Path, SourceFile } from "../config/source.ts";
import { subjectAt } from "../config/subject.ts";
import { YamlList, YamlMap, type YamlNode, YamlScalar } from "../config/yaml-nodes.ts";
import type { Entry } from "./engine.ts";

/** An entry with what is left of its path below the part of the configuration that it belongs to. */
export interface Rest {
  readonly entry: Entry;
  readonly steps: readonly string[];
}

/** A part of the configuration, such as one router: where it is, what it is to be, and its entries. */
export interface Part {
  /** Its own among those of a provider. */
  readonly id: string;
  readonly path: readonly [root: string, section: string, name: string | number];
  readonly schema: z.ZodType;
  /** Never empty. */
  readonly rests: readonly Rest[];
  readonly about: Subject | null;
}

/** Words that people write for true and false and Traefik does not take, or not for switching a section on. */
const YES = ["yes", "y", "on", "enabled"];
const NO = ["no", "n", "off", "disabled"];

/** Entries that lead to the same step. */
interface Branch {
  readonly key: string;
  /** The first entry that led here. */
  readonly entry: Entry;
  /** The entry that ends here. */
  own: Entry | null;
  readonly children: Map<string, Branch>;
}

export class FlatSource extends SourceFile {
  /** Where each part stands here, in their order. */
  readonly paths: Path[] = [];
  readonly #said: Diagnostics;
  readonly #provider: string;
  #path: (string | number)[] = [];

  /** What is wrong with the entries as such goes to `diagnostics`; what they say is for the decoder. */
  constructor(name: string, provider: string, parts: readonly Part[], diagnostics: Diagnostics) {
    super(name, "", diagnostics);
    this.#said = diagnostics;
    this.#provider = provider;
    const root = YamlMap.of([]);
    const sections = new Map<string, YamlMap | YamlList>();
    for (const { path, schema, rests } of parts) {
      const [first, section, key] = path;
      const isList = typeof key === "number";
      let into = sections.get(`${first}/${section}`);
      if (into === undefined) {
        into = isList ? YamlList.of([]) : YamlMap.of([]);
        sections.set(`${first}/${section}`, into);
        let above = sections.get(first) as YamlMap | undefined;
        if (above === undefined) {
          above = YamlMap.of([]);
          sections.set(first, above);
          root.items.push({ key: this.#scalar(first, rests[0]!.entry), value: above });
        }
        above.items.push({ key: this.#scalar(section, rests[0]!.entry), value: into });
      }
      this.#path = isList ? [first, section, into.items.length] : [...path];
      this.paths.push([...this.#path]);
      const node = this.#node(schema, this.#gather(schema, rests));
      if (isList) (into as YamlList).items.push(node);
      else (into as YamlMap).items.push({ key: this.#scalar(String(key), rests[0]!.entry), value: node });
    }
    this.root = root;
  }

  #gather(schema: z.ZodType, rests: readonly Rest[]): Branch {
    const [{ entry }] = rests as [Rest];
    const top: Branch = { key: "", entry, own: null, children: new Map() };
    for (const { entry, steps } of rests) {
      let branch = top;
      let at: z.ZodType | null = schema;
      for (const step of steps) {
        const { key, index, next, isName } = stepIn(at, step);
        branch = childOf(branch, key, isName, entry);
        at = next;
        if (index === null) continue;
        branch = childOf(branch, index, false, entry);
        at = at === null ? null : ((unwrap(at).type as z.ZodArray).element as z.ZodType);
      }
      if (branch.own === null) branch.own = entry;
      else this.#error("field-twice", entry, `${this.#label(steps)} is given twice: ${branch.own.place} has it too`);
    }
    return top;
  }

  #node(schema: z.ZodType, branch: Branch): YamlNode {
    const { type, meta } = unwrap(schema);
    const { own, children, entry } = branch;
    const value = own?.value ?? "";
    switch (type.def.type) {
      case "object": {
        if (children.size === 0) {
          if (value === "") return meta.allowEmpty ? this.#at(YamlMap.of([]), entry) : this.#nothing(entry);
          return this.#scalar(meta.allowEmpty ? this.#switch(value, own!) : value, own!);
        }
        const map = this.#map(type as z.ZodObject, branch);
        if (value === "" || TRUE_WORDS.includes(value) || YES.includes(value.toLowerCase())) return map;
        if (meta.scalarKey !== undefined && !isNo(value)) {
          map.items.unshift({ key: this.#scalar(meta.scalarKey, own!), value: this.#scalar(value, own!) });
          return map;
        }
        const [child] = children.values() as Iterable<Branch> as [Branch];
        this.#error(
          "fields-conflict",
          own!,
          isNo(value)
            ? `${this.#label([])} is switched off, and ${child.entry.place} is in it: remove one of the two`
            : `${this.#label([])} has a value, and is a section, which ${child.entry.place} is in: remove the value`,
        );
        return map;
      }
      case "record":
        if (children.size === 0) return value === "" ? this.#nothing(entry) : this.#scalar(value, own!);
        return this.#map(null, branch, (type as z.ZodRecord).valueType as z.ZodType);
      case "array":
        return this.#list((type as z.ZodArray).element as z.ZodType, branch);
      case "boolean":
        if (children.size === 0) return this.#scalar(this.#boolean(value, entry), entry);
        return this.#map(null, branch);
      case "unknown":
        return this.#scalar(value === "" ? "true" : value, entry);
      default:
        return children.size === 0 ? this.#scalar(value, entry) : this.#map(null, branch);
    }
  }

  /** A mapping, of the fields of `type`, or of names whose values are of `each`; of neither where the decoder will refuse it anyway. */
  #map(type: z.ZodObject | null, { entry, children }: Branch, each: z.ZodType = ANYTHING): YamlMap {
    const map = YamlMap.of([]);
    const names = type === null ? null : fieldNames(type);
    for (const branch of children.values()) {
      const field = names?.get(branch.key.toLowerCase());
      const schema = field === undefined ? (names === null ? each : ANYTHING) : (type!.shape[field] as z.ZodType);
      this.#path.push(field ?? branch.key);
      map.items.push({ key: this.#scalar(branch.key, branch.entry), value: this.#node(schema, branch) });
      this.#path.pop();
    }
    return this.#at(map, entry);
  }

  /** Items by their index, gaps or not. Where there are any, a value of the list itself does not count, as in Traefik. */
  #list(element: z.ZodType, { own, children, entry }: Branch): YamlNode {
    if (children.size === 0)
      return own === null || own.value === "" ? this.#nothing(entry) : this.#scalar(own.value, own);
    const items: Branch[] = [];
    for (const branch of children.values()) {
      if (/^\d{1,9}$/.test(branch.key)) items.push(branch);
      else
        this.#error(
          "unknown-field",
          branch.entry,
          `${this.#label([])} is a list, and "${branch.key}" is no index: write 0, 1, 2, ... there`,
        );
    }
    items.sort((a, b) => Number(a.key) - Number(b.key));
    const list = YamlList.of([]);
    for (const [index, branch] of items.entries()) {
      this.#path.push(index);
      list.items.push(this.#node(element, branch));
      this.#path.pop();
    }
    return this.#at(list, entry);
  }

  /** The word for a section that can be switched on: Traefik knows `true` alone. */
  #switch(value: string, entry: Entry): string {
    const word = value.toLowerCase();
    if (word === "true" || word === "false") return word;
    if (TRUE_WORDS.includes(value) || YES.includes(word)) return this.#taken(value, "true", entry);
    if (FALSE_WORDS.includes(value) || NO.includes(word)) return this.#taken(value, "false", entry);
    return value;
  }

  #boolean(value: string, entry: Entry): string {
    const word = value.toLowerCase();
    if (YES.includes(word)) return this.#taken(value, "true", entry);
    return NO.includes(word) ? this.#taken(value, "false", entry) : value;
  }

  #taken(value: string, meant: "true" | "false", entry: Entry): string {
    const message = `${this.#label([])}: "${value}" is taken for ${meant}, which Traefik does not do: write ${meant}`;
    this.#said.warn("word-for-boolean", placeOf(entry), message, subjectAt(this.#path, this.#provider));
    return meant;
  }

  #label(steps: readonly string[]): string {
    return [...this.#path, ...steps].join(".");
  }

  #error(code: "field-twice" | "fields-conflict" | "unknown-field", entry: Entry, message: string): void {
    this.#said.error(code, placeOf(entry), message, subjectAt(this.#path, this.#provider));
  }

  #nothing(entry: Entry): YamlNode {
    return this.#at(new YamlScalar("", true, true), entry);
  }

  #scalar(text: string, entry: Entry): YamlNode {
    return this.#at(new YamlScalar(text), entry);
  }

  #at<T extends YamlNode>(node: T, entry: Entry): T {
    this.putAt(node, placeOf(entry));
    return node;
  }
}

const ANYTHING = z.unknown();

export interface Step {
  readonly key: string;
  /** `domains[0]` is an item of the list `domains`, as if it were `domains/0`. */
  readonly index: string | null;
  /** What stands there; null where the schema does not know. */
  readonly next: z.ZodType | null;
  /** It is a name of the user's choice, in which case counts. */
  readonly isName: boolean;
}

/** What one step of a path below a part of this schema means. */
export function stepIn(schema: z.ZodType | null, step: string): Step {
  const type = schema === null ? null : unwrap(schema).type;
  switch (type?.def.type) {
    case "record":
      return { key: step, index: null, next: (type as z.ZodRecord).valueType as z.ZodType, isName: true };
    case "array":
      return { key: step, index: null, next: (type as z.ZodArray).element as z.ZodType, isName: false };
    case "object": {
      const fields = fieldNames(type as z.ZodObject);
      const of = (name: string) => {
        const field = fields.get(name.toLowerCase());
        return field === undefined ? null : ((type as z.ZodObject).shape[field] as z.ZodType);
      };
      const next = of(step);
      const [, list, index] = (next === null && /^(.+)\[(\d{1,9})\]$/.exec(step)) || [];
      const listType = list === undefined ? null : of(list);
      if (listType !== null && unwrap(listType).type.def.type === "array")
        return { key: list!, index: index!, next: listType, isName: false };
      return { key: step, index: null, next, isName: false };
    }
    default:
      return { key: step, index: null, next: null, isName: false };
  }
}

function childOf(branch: Branch, key: string, isName: boolean, entry: Entry): Branch {
  const id = isName ? key : key.toLowerCase();
  let child = branch.children.get(id);
  if (child === undefined) branch.children.set(id, (child = { key, entry, own: null, children: new Map() }));
  return child;
}

function isNo(value: string): boolean {
  return FALSE_WORDS.includes(value) || NO.includes(value.toLowerCase());
}

export function placeOf({ place }: Pick<Entry, "place">): Place {
  return { file: place, line: 0, column: 0 };
}
