// What an import changes in a store. A router, a service and so on is replaced as a whole; what only the store has stays, unless asked.

import type { z } from "zod";
import { Diagnostics } from "../../config/diagnostics.ts";
import { type FieldMeta, unwrap } from "../../config/field.ts";
import type { Entry } from "../engine.ts";
import { Sorter } from "../flat-parts.ts";
import { type Part, type Rest, stepIn } from "../flat-source.ts";

export interface Change {
  /** Below the root key. */
  readonly path: string;
  /** null: it is not there. */
  readonly before: string | null;
  /** null: it is deleted. */
  readonly after: string | null;
  /** What the schema says of it. */
  readonly meta: FieldMeta;
}

export interface Plan {
  /** In the order in which they may be made one after the other: what is referred to comes before who refers to it, and goes after it. */
  readonly changes: readonly Change[];
  /** Parts that only the store has, and that stay. */
  readonly kept: readonly string[];
}

/** A value under the one spelling of its path that all spellings have in common. */
interface Setting {
  readonly path: string;
  readonly value: string;
  readonly meta: FieldMeta;
}

export function planImport(wanted: readonly Entry[], there: readonly Entry[], prunes: boolean): Plan {
  const [after, before] = [wanted, there].map((entries) => partsOf(entries));
  const changes: Change[] = [];
  const kept: string[] = [];
  const left = new Map(before!.map((part) => [part.id, part]));
  const named = (part: Part) => typeof part.path[2] !== "number";
  for (const part of after!.filter(named)) {
    changes.push(...between(part, left.get(part.id) ?? null));
    left.delete(part.id);
  }
  // An item of a list has no name: those that are there with the same content stay where they are.
  const news = after!.filter((part) => !named(part));
  const added = news.filter((part) => {
    const same = [...left.values()].find((each) => isSameItem(part, each));
    if (same !== undefined) left.delete(same.id);
    return same === undefined;
  });
  const rest = [...left.values()];
  if (prunes) for (const part of rest) changes.push(...removed(part));
  else kept.push(...rest.map(({ path }) => path.join(".")));
  const used = new Map<string, Set<number>>();
  for (const { path } of before!) if (typeof path[2] === "number") usedOf(used, path).add(path[2]);
  for (const part of added) {
    const taken = usedOf(used, part.path);
    let index = 0;
    while (taken.has(index)) index++;
    taken.add(index);
    const [root, section] = part.path;
    changes.push(...between({ ...part, path: [root, section, index] }, null));
  }
  return { changes: changes.sort((a, b) => rank(a) - rank(b)), kept };
}

function partsOf(entries: readonly Entry[]): Part[] {
  return [...new Sorter("kv").sort(entries, new Diagnostics(), () => undefined).values()];
}

function usedOf(used: Map<string, Set<number>>, [root, section]: Part["path"]): Set<number> {
  const id = `${root}/${section}`;
  let taken = used.get(id);
  if (taken === undefined) used.set(id, (taken = new Set()));
  return taken;
}

function rank({ path, after }: Change): number {
  const isRouter = path.toLowerCase().startsWith("tcp/routers/");
  if (after === null) return isRouter ? 2 : 3;
  return isRouter ? 1 : 0;
}

function between(part: Part, former: Part | null): Change[] {
  const changes: Change[] = [];
  const left = new Map<string, { setting: Setting; path: string }>();
  for (const rest of former?.rests ?? []) {
    const setting = settingOf(former!, rest);
    // Of two spellings of the same one goes.
    if (left.has(setting.path)) changes.push({ ...gone(rest, setting) });
    else left.set(setting.path, { setting, path: rest.entry.path });
  }
  for (const rest of part.rests) {
    const { path, value, meta } = settingOf(part, rest);
    const known = left.get(path);
    left.delete(path);
    if (known === undefined)
      changes.push({
        path: [...part.path, ...(path === "" ? [] : [path])].join("/"),
        before: null,
        after: value,
        meta,
      });
    else if (known.setting.value !== value)
      changes.push({ path: known.path, before: known.setting.value, after: value, meta });
  }
  for (const { setting, path } of left.values())
    changes.push({ path, before: setting.value, after: null, meta: setting.meta });
  return changes;
}

function removed(part: Part): Change[] {
  return part.rests.map((rest) => gone(rest, settingOf(part, rest)));
}

function gone({ entry }: Rest, { meta }: Setting): Change {
  return { path: entry.path, before: entry.value, after: null, meta };
}

function isSameItem(a: Part, b: Part): boolean {
  if (a.path[0] !== b.path[0] || a.path[1] !== b.path[1] || a.rests.length !== b.rests.length) return false;
  const settings = new Map(b.rests.map((rest) => settingOf(b, rest)).map(({ path, value }) => [path, value]));
  return a.rests.every((rest) => {
    const { path, value } = settingOf(a, rest);
    return settings.get(path) === value;
  });
}

function settingOf({ schema }: Part, { entry, steps }: Rest): Setting {
  const path: string[] = [];
  let at: z.ZodType | null = schema;
  for (const step of steps) {
    const { key, index, next, name } = canonical(at, step);
    path.push(name ?? key);
    at = next;
    if (index === null) continue;
    path.push(index);
    at = at === null ? null : ((unwrap(at).type as z.ZodArray).element as z.ZodType);
  }
  return { path: path.join("/"), value: entry.value, meta: at === null ? {} : unwrap(at).meta };
}

/** The step with the name that the schema has for it, where it has one. */
function canonical(at: z.ZodType | null, step: string) {
  const found = stepIn(at, step);
  const type = at === null ? null : unwrap(at).type;
  if (type?.def.type !== "object") return { ...found, name: null };
  const name = Object.keys((type as z.ZodObject).shape).find((each) => each.toLowerCase() === found.key.toLowerCase());
  return { ...found, name: name ?? found.key.toLowerCase() };
}
