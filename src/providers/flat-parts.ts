// Which part of the dynamic configuration an entry of a store belongs to: the router, the service, the certificate whose value it is.

import type { z } from "zod";
import { Diagnostics } from "../config/diagnostics.ts";
import { dynamicSchema } from "../config/dynamic.ts";
import { fieldNames, unwrap } from "../config/field.ts";
import { subjectAt } from "../config/subject.ts";
import { suggestion } from "../text/spelling.ts";
import type { Entry } from "./engine.ts";
import { type Part, placeOf, type Rest } from "./flat-source.ts";

/** Deeper paths are a mistake: the schema ends long before. */
const MAX_STEPS = 60;

interface Section {
  readonly root: string;
  readonly name: string;
  readonly isList: boolean;
  readonly schema: z.ZodType;
}

/** The sections whose parts stand for themselves, by `root/section` in lower case. */
const SECTIONS: ReadonlyMap<string, Section> = new Map(
  ["tcp", "tls"].flatMap((root) => {
    const { shape } = unwrap(dynamicSchema.shape[root as "tcp"]).type as z.ZodObject;
    return Object.entries(shape).map(([name, field]): [string, Section] => {
      const { type } = unwrap(field as z.ZodType);
      const isList = type.def.type === "array";
      const schema = isList ? (type as z.ZodArray).element : (type as z.ZodRecord).valueType;
      return [`${root}/${name}`.toLowerCase(), { root, name, isList, schema: schema as z.ZodType }];
    });
  }),
);

const ROOTS: ReadonlyMap<string, string> = fieldNames(dynamicSchema);

/** The part that an entry belongs to. */
interface Placed {
  readonly id: string;
  readonly section: Section;
  readonly name: string;
  readonly rest: Rest;
}

interface Found extends Omit<Placed, "rest"> {
  readonly rests: Rest[];
}

export class Sorter {
  readonly #provider: string;
  /** Where entries belong that were sorted before: an engine gives those that have not changed as the same objects. */
  readonly #placed = new WeakMap<Entry, Placed>();
  #diagnostics = new Diagnostics();
  /** Of keys that belong elsewhere one of each root is told of. */
  #told = new Set<string>();

  constructor(provider: string) {
    this.#provider = provider;
  }

  /**
   * The parts that entries make, by an id of their own, in the order in which they first come; what belongs to none is told of. A part
   * whose entries are those of `former` is that one.
   */
  sort(
    entries: readonly Entry[],
    diagnostics: Diagnostics,
    former: (id: string) => Part | undefined,
  ): Map<string, Part> {
    this.#diagnostics = diagnostics;
    this.#told = new Set();
    const found = new Map<string, Found>();
    for (const entry of entries) {
      let placed = this.#placed.get(entry);
      if (placed === undefined) {
        const place = this.#place(entry);
        if (place === null) continue;
        placed = place;
        this.#placed.set(entry, placed);
      }
      const part = found.get(placed.id);
      if (part !== undefined) part.rests.push(placed.rest);
      else found.set(placed.id, { id: placed.id, section: placed.section, name: placed.name, rests: [placed.rest] });
    }
    const parts = new Map<string, Part>();
    const lists: Part[] = [];
    for (const each of found.values()) {
      const before = former(each.id);
      const part = before !== undefined && isSame(before.rests, each.rests) ? before : this.#part(each);
      if (each.section.isList) lists.push(part);
      else parts.set(each.id, part);
    }
    lists.sort((a, b) => (a.path[2] as number) - (b.path[2] as number));
    for (const part of lists) parts.set(part.id, part);
    return parts;
  }

  #part({ id, section: { root, name: sectionName, isList, schema }, name, rests }: Found): Part {
    const path = [root, sectionName, isList ? Number(name) : name] as const;
    return { id, path, schema, rests, about: isList ? null : subjectAt(path, this.#provider) };
  }

  /** null: it belongs to no part, and what is to be said of that has been. */
  #place(entry: Entry): Placed | null {
    // A folder, which some programs make for those that look at the store, or what stands for one.
    if (entry.value === "" && entry.path.endsWith("/")) return null;
    const steps = entry.path.split("/");
    if (steps.length > MAX_STEPS || steps.includes(""))
      return this.#say(entry, "is no path of the configuration: a step of it is empty, or it has too many of them");
    const [root, sectionStep, ...below] = steps as [string, ...string[]];
    const known = ROOTS.get(root.toLowerCase());
    if (known !== "tcp" && known !== "tls") return this.#foreign(entry, root, known);
    if (sectionStep === undefined) {
      if (entry.value !== "") this.#say(entry, `${known} is a section: a value belongs to what is in it`);
      return null;
    }
    const bracket = /^(.+)\[(\d{1,9})\]$/.exec(sectionStep);
    const section = SECTIONS.get(`${known}/${(bracket?.[1] ?? sectionStep).toLowerCase()}`);
    if (section === undefined || (bracket !== null && !section.isList)) {
      const names = [...SECTIONS.values()].flatMap(({ root, name }) => (root === known ? [name] : []));
      return this.#say(entry, `unknown field "${sectionStep}" in ${known}${suggestion(sectionStep, names)}`);
    }
    const [name, ...rest] = bracket === null ? below : [bracket[2]!, ...below];
    if (name === undefined || (rest.length === 0 && entry.value === "")) return null;
    if (section.isList && !/^\d{1,9}$/.test(name))
      return this.#say(
        entry,
        `${known}.${section.name} is a list, and "${name}" is no index: write 0, 1, 2, ... there`,
      );
    if (name.includes("@"))
      return this.#say(
        entry,
        `"${name}" cannot be a name: it must not contain @, which stands before the provider`,
        "name-invalid",
      );
    return { id: `${known}/${section.name}/${name}`, section, name, rest: { entry, steps: rest } };
  }

  /** What Traefik's other protocols, or other programs, have under the same key. */
  #foreign(entry: Entry, root: string, known: string | undefined): null {
    const id = known ?? root;
    if (this.#told.has(id) || (entry.value === "" && !entry.path.includes("/"))) return null;
    this.#told.add(id);
    const what =
      known === "http" || known === "udp"
        ? `${known} is not TCP, and Sluice carries TCP alone`
        : known !== undefined
          ? `${known} belongs to the static configuration, which is not read from here`
          : `"${root}" is no part of the dynamic configuration${suggestion(root, ["tcp", "tls"])}`;
    this.#diagnostics.warn("entry-ignored", placeOf(entry), `${what}: nothing below it is read`);
    return null;
  }

  #say(entry: Entry, message: string, code: "unknown-field" | "name-invalid" = "unknown-field"): null {
    this.#diagnostics.error(code, placeOf(entry), `${message}. Only this entry is left out`);
    return null;
  }
}

function isSame(a: readonly Rest[], b: readonly Rest[]): boolean {
  return (
    a.length === b.length && a.every((rest, index) => rest === b[index] || isSameEntry(rest.entry, b[index]!.entry))
  );
}

function isSameEntry(a: Entry, b: Entry): boolean {
  return a.value === b.value && a.path === b.path && a.place === b.place;
}
