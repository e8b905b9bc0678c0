// Which part of the dynamic configuration an entry of a store belongs to: the router, the service, the certificate whose value it is.

import type { z } from "zod";
import type { Diagnostics } from "../config/diagnostics.ts";
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

/** The parts that entries make, by an id of their own, in the order in which they first come. What belongs to none is told of. */
export function partsOf(entries: readonly Entry[], provider: string, diagnostics: Diagnostics): Map<string, Part> {
  const sorter = new Sorter(provider, diagnostics);
  for (const entry of entries) sorter.take(entry);
  return sorter.parts();
}

class Sorter {
  readonly #provider: string;
  readonly #diagnostics: Diagnostics;
  readonly #found = new Map<string, { section: Section; name: string; rests: Rest[] }>();
  /** Of keys that belong elsewhere one of each root is told of. */
  readonly #told = new Set<string>();

  constructor(provider: string, diagnostics: Diagnostics) {
    this.#provider = provider;
    this.#diagnostics = diagnostics;
  }

  take(entry: Entry): void {
    // A folder, which some programs make for those that look at the store, or what stands for one.
    if (entry.value === "" && entry.path.endsWith("/")) return;
    const steps = entry.path.split("/");
    if (steps.length > MAX_STEPS || steps.includes(""))
      return this.#say(entry, "is no path of the configuration: a step of it is empty, or it has too many of them");
    const [root, sectionStep, ...below] = steps as [string, ...string[]];
    const known = ROOTS.get(root.toLowerCase());
    if (known !== "tcp" && known !== "tls") return this.#foreign(entry, root, known);
    if (sectionStep === undefined) {
      if (entry.value !== "") this.#say(entry, `${known} is a section: a value belongs to what is in it`);
      return;
    }
    const bracket = /^(.+)\[(\d{1,9})\]$/.exec(sectionStep);
    const section = SECTIONS.get(`${known}/${(bracket?.[1] ?? sectionStep).toLowerCase()}`);
    if (section === undefined || (bracket !== null && !section.isList)) {
      const names = [...SECTIONS.values()].flatMap(({ root, name }) => (root === known ? [name] : []));
      return this.#say(entry, `unknown field "${sectionStep}" in ${known}${suggestion(sectionStep, names)}`);
    }
    const [name, ...rest] = bracket === null ? below : [bracket[2]!, ...below];
    if (name === undefined || (rest.length === 0 && entry.value === "")) return;
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
    const id = `${known}/${section.name}/${name}`;
    const part = this.#found.get(id);
    if (part === undefined) this.#found.set(id, { section, name, rests: [{ entry, steps: rest }] });
    else part.rests.push({ entry, steps: rest });
  }

  parts(): Map<string, Part> {
    const parts = new Map<string, Part>();
    const lists: [string, Part][] = [];
    for (const [id, { section, name, rests }] of this.#found) {
      const { root, name: sectionName, isList, schema } = section;
      const path = [root, sectionName, isList ? Number(name) : name] as const;
      const part = { id, path, schema, rests, about: isList ? null : subjectAt(path, this.#provider) };
      if (isList) lists.push([id, part]);
      else parts.set(id, part);
    }
    lists.sort(([, a], [, b]) => (a.path[2] as number) - (b.path[2] as number));
    for (const [id, part] of lists) parts.set(id, part);
    return parts;
  }

  /** What Traefik's other protocols, or other programs, have under the same key. */
  #foreign(entry: Entry, root: string, known: string | undefined): void {
    const id = known ?? root;
    if (this.#told.has(id) || (entry.value === "" && !entry.path.includes("/"))) return;
    this.#told.add(id);
    const what =
      known === "http" || known === "udp"
        ? `${known} is not TCP, and Sluice carries TCP alone`
        : known !== undefined
          ? `${known} belongs to the static configuration, which is not read from here`
          : `"${root}" is no part of the dynamic configuration${suggestion(root, ["tcp", "tls"])}`;
    this.#diagnostics.warn("entry-ignored", placeOf(entry), `${what}: nothing below it is read`);
  }

  #say(entry: Entry, message: string, code: "unknown-field" | "name-invalid" = "unknown-field"): void {
    this.#diagnostics.error(code, placeOf(entry), `${message}. Only this entry is left out`);
  }
}
