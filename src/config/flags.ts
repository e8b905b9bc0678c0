// The static configuration from the command line: --entryPoints.mqtts.address=:8883, in Traefik's forms.

import type { z } from "zod";
import { Diagnostics } from "./diagnostics.ts";
import { complain, dotted, isList, isSwitch, put, resolve } from "./settings.ts";
import { SourceFile } from "./source.ts";

/** One flag: its words, its value, or null where it has none. */
export interface Flag {
  /** As it was typed, without the value. */
  readonly name: string;
  readonly value: string | null;
}

export function parseFlag(argument: string): Flag {
  const equals = argument.indexOf("=");
  return equals < 0
    ? { name: argument, value: null }
    : { name: argument.slice(0, equals), value: argument.slice(equals + 1) };
}

/** The words of `--a.b[0].c`. */
function wordsOf({ name }: Flag): string[] {
  return name
    .slice(2)
    .replace(/\[(\d+)\]/g, ".$1")
    .split(".");
}

/** Whether a flag without `=` takes the argument that follows it. An unknown one does, as most would if they were spelled right. */
export function takesValue(schema: z.ZodType, flag: Flag): boolean {
  const resolved = resolve(schema, wordsOf(flag), ".", new SourceFile("", "", new Diagnostics()));
  return resolved.kind !== "ok" || !isSwitch(resolved);
}

/** Puts every flag over what `source` says, in the order in which they were typed. Of one list several flags add up. */
export function applyFlags(
  schema: z.ZodType,
  source: SourceFile,
  flags: readonly Flag[],
  diagnostics: Diagnostics,
): void {
  const lists = new Map<string, string>();
  for (const flag of flags) {
    const place = { file: flag.name, line: 0, column: 0 };
    const words = wordsOf(flag);
    const resolved = resolve(schema, words, ".", source);
    if (resolved.kind !== "ok") {
      complain(resolved, "flag", words, (each) => `--${spell(each)}`, place, diagnostics);
      continue;
    }
    let text = flag.value ?? (isSwitch(resolved) ? "true" : null);
    if (text === null) {
      diagnostics.error("setting-incomplete", place, `needs a value: ${flag.name}=VALUE`);
      continue;
    }
    if (isList(resolved)) {
      const key = dotted(resolved.path);
      const former = lists.get(key);
      if (former !== undefined) text = `${former},${text}`;
      lists.set(key, text);
    }
    put(resolved, text, place, source);
  }
}

function spell(words: readonly string[]): string {
  return dotted(words.map((word) => (/^\d+$/.test(word) ? Number(word) : word)));
}
