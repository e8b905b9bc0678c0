// The files of an import, read as the file provider does, and proved to mean the same in a store.

import { Diagnostics } from "../../config/diagnostics.ts";
import { type DynamicConfig, decodeDynamic } from "../../config/dynamic.ts";
import { readSource } from "../../config/source.ts";
import { readTextFile, statOf } from "../../system/files.ts";
import type { Entry } from "../engine.ts";
import { FlatConfiguration } from "../flat.ts";
import { findFiles } from "../tree.ts";
import { FileEntries } from "./from-files.ts";

/** What files and directories hold, as a store would. Every problem goes to `diagnostics`; null when one of them is an error. */
export function readFiles(
  paths: readonly string[],
  entryPoints: ReadonlySet<string>,
  diagnostics: Diagnostics,
): readonly Entry[] | null {
  const taken = new FileEntries();
  const values: DynamicConfig[] = [];
  const files = paths.flatMap((path) => (statOf(path)?.isDirectory() ? findFiles(path, diagnostics).files : [path]));
  for (const file of files) {
    const text = readTextFile(file);
    if (text.kind === "error") {
      diagnostics.error("file-unreadable", placeOf(file), text.message);
      continue;
    }
    const source = readSource(file, text.text, diagnostics, "dynamic");
    const decoded = source === null ? null : decodeDynamic(source, diagnostics, "file");
    if (decoded === null) continue;
    values.push(decoded.value);
    taken.take(source!);
  }
  for (const { path, file, first } of taken.twice)
    diagnostics.warn("name-twice", placeOf(file), `${path} is in ${first} too, and counts there`);
  for (const { path, place } of taken.unnamable)
    diagnostics.error(
      "name-with-slash",
      placeOf(place),
      `"${path.split("/").slice(2).join("/")}" cannot be a name in a store: it has a / or an @ in it`,
    );
  if (diagnostics.errors > 0) return null;
  checkSame(together(values), taken.entries, entryPoints, diagnostics);
  return diagnostics.errors > 0 ? null : taken.entries;
}

type Sections = Record<string, Record<string, Record<string, unknown> | readonly unknown[]>>;

/** Of two equal names the first counts, and lists go on. */
function together(values: readonly DynamicConfig[]): Sections {
  const result: Sections = { tcp: {}, tls: {} };
  for (const value of values as unknown as Sections[])
    for (const root of ["tcp", "tls"])
      for (const [section, content] of Object.entries(value[root] ?? {})) {
        const former = result[root]![section];
        result[root]![section] = Array.isArray(content)
          ? [...((former as unknown[]) ?? []), ...content]
          : { ...content, ...(former as object) };
      }
  return result;
}

/** Reads the entries as a provider would, and compares. */
function checkSame(
  files: Sections,
  entries: readonly Entry[],
  entryPoints: ReadonlySet<string>,
  diagnostics: Diagnostics,
): void {
  const said = new Diagnostics();
  const value = new FlatConfiguration("the store", "store", entryPoints).read(entries, said)
    .value as unknown as Sections;
  diagnostics.take(said);
  if (said.errors > 0) return;
  for (const root of ["tcp", "tls"])
    for (const [section, content] of Object.entries(files[root]!))
      for (const [name, part] of Object.entries(content)) {
        const stored = (value[root]![section] as Record<string, unknown> | undefined)?.[name];
        if (Bun.deepEquals(plain(part), plain(stored))) continue;
        const entry = entries.find(({ path }) => path.startsWith(`${root}/${section}/${name}`));
        diagnostics.error(
          "store-differs",
          placeOf(entry?.place ?? "the files"),
          `${root}.${section}.${name} would mean something else in a store: nothing is written`,
        );
      }
}

/** Without what is not set. */
function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}

function placeOf(file: string) {
  return { file, line: 0, column: 0 };
}
