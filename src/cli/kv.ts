// sluice kv import, and sluice kv export: between files and a store of routes.

import { Diagnostics } from "../config/diagnostics.ts";
import { COVERED } from "../config/shown.ts";
import type { StaticConfig } from "../config/static.ts";
import { IMPORT_MARK } from "../providers/kv/mark.ts";
import { type Change, type Plan, planImport } from "../providers/kv/plan.ts";
import { writeAll } from "../providers/kv/writer.ts";
import { type WritableStore, writableStores } from "../providers/kv/writers.ts";
import { describeError } from "../system/errors.ts";
import { isThere } from "../system/files.ts";
import { replaceFile } from "../system/replace-file.ts";
import { printable } from "../text/printable.ts";
import { suggestion } from "../text/spelling.ts";
import { count } from "../text/words.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

export interface ImportOptions {
  readonly configFile?: string;
  readonly provider?: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly resume?: boolean;
}

export interface ExportOptions {
  readonly configFile?: string;
  readonly provider?: string;
  readonly force?: boolean;
}

/** @returns the exit code: 1 when nothing was written that should have been. */
export async function importFiles(
  given: Given,
  paths: readonly string[],
  options: ImportOptions,
  terminal: Terminal,
): Promise<number> {
  const found = storeOf(given, options.provider, terminal);
  if (found === null) return 1;
  const { config, store } = found;
  const diagnostics = new Diagnostics();
  const { readFiles } = await import("../providers/kv/files.ts");
  const entryPoints = new Set([...config.entryPoints.values()].flatMap(({ name, admin }) => (admin ? [] : [name])));
  const wanted = readFiles(paths, entryPoints, diagnostics);
  printDiagnostics(diagnostics, terminal);
  if (wanted === null) {
    terminal.error("Nothing is written: the files have mistakes.");
    return 1;
  }
  const writer = await store.open();
  try {
    const there = await writer.read();
    const mark = there.find(({ path }) => path === IMPORT_MARK);
    if (mark !== undefined && !options.resume && !options.dryRun) {
      terminal.error(
        `${mark.place}: an import that began on ${printable(mark.value)} is not finished. If it does not run any more, run this again with --resume: what the store lacks is written then`,
      );
      return 1;
    }
    const plan = planImport(wanted, there, options.prune ?? false);
    for (const change of plan.changes) terminal.log(lineOf(store, change));
    if (!options.dryRun)
      await writeAll(
        writer,
        plan.changes.map(({ path, after }) => ({ path, value: after })),
        mark !== undefined,
      );
    terminal.log(summaryOf(plan, options.dryRun ?? false));
    return 0;
  } catch (error) {
    terminal.error(`${store.name}: ${printable((error as Error).message)}`);
    return 1;
  } finally {
    await writer.close();
  }
}

/** @returns the exit code. Without `file` what is in the store is printed. */
export async function exportStore(
  given: Given,
  file: string | undefined,
  options: ExportOptions,
  terminal: Terminal,
): Promise<number> {
  const found = storeOf(given, options.provider, terminal);
  if (found === null) return 1;
  const { store } = found;
  if (file !== undefined && options.force !== true && isThere(file)) {
    terminal.error(`${file}: is there already: --force replaces it`);
    return 1;
  }
  const writer = await store.open();
  try {
    const diagnostics = new Diagnostics();
    const entries = await writer.read();
    const { toYaml } = await import("../providers/kv/to-yaml.ts");
    const text = toYaml(
      entries.filter(({ path }) => path !== IMPORT_MARK),
      store.name,
      diagnostics,
    );
    printDiagnostics(diagnostics, terminal);
    if (entries.length === 0) terminal.error(`${store.name}: there is nothing below ${store.rootKey}`);
    if (entries.some(({ path }) => path === IMPORT_MARK))
      terminal.error(`${store.name}: an import is not finished, so half of it may be in what is exported`);
    if (file === undefined) terminal.log(text.trimEnd());
    // Keys and passwords may be in it.
    else replaceFile(file, text, 0o600);
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    terminal.error(
      `${code === undefined ? store.name : file}: ${printable(code === undefined ? message : describeError(error))}`,
    );
    return 1;
  } finally {
    await writer.close();
  }
}

function storeOf(
  given: Given,
  typed: string | undefined,
  terminal: Terminal,
): { readonly config: StaticConfig; readonly store: WritableStore } | null {
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, terminal);
    return null;
  }
  const stores = writableStores(config);
  const names = stores.map(({ name }) => name);
  const name = typed?.toLowerCase();
  const named = name === undefined ? stores : stores.filter((each) => each.name === name);
  const [store] = named;
  if (store !== undefined && named.length === 1) return { config, store };
  const there =
    names.length === 0 ? "none is configured" : `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
  if (stores.length === 0)
    terminal.error(
      "no store is configured: add for example  providers: { etcd: { endpoints: [127.0.0.1:2379] } } , or give  --providers.etcd.endpoints=127.0.0.1:2379",
    );
  else if (name === undefined) terminal.error(`which store? Give --provider: ${there}`);
  else
    terminal.error(
      `--provider: "${printable(typed!)}" is no store that is configured${suggestion(name, names)}: ${there}`,
    );
  return null;
}

function lineOf({ name, rootKey }: WritableStore, { path, before, after, meta }: Change): string {
  const key = printable(`${name} ${rootKey}/${path}`);
  const value = (text: string) => {
    if (meta.words?.includes(text)) return text;
    const isCovered = meta.secret === true && (meta.kind !== "file or content" || /\n|-----BEGIN/.test(text));
    return isCovered ? COVERED : printable(text.includes("\n") ? `${text.split("\n")[0]} ...` : text);
  };
  if (before === null) return `+ ${key} = ${value(after!)}`;
  if (after === null) return `- ${key}`;
  return `~ ${key} = ${value(after)} (was ${value(before)})`;
}

function summaryOf({ changes, kept }: Plan, isDry: boolean): string {
  const added = changes.filter(({ before }) => before === null).length;
  const removed = changes.filter(({ after }) => after === null).length;
  const keep =
    kept.length === 0
      ? ""
      : ` ${count(kept.length, "part")} that only the store has ${kept.length === 1 ? "stays" : "stay"} (--prune removes): ${kept.slice(0, 5).map(printable).join(", ")}${kept.length > 5 ? ", ..." : ""}.`;
  if (changes.length === 0) return `The store has all of it already.${keep}`;
  const done = `${count(added, "key")} added, ${changes.length - added - removed} changed, ${removed} removed`;
  return `${isDry ? "Would be written: " : ""}${done}.${keep}`;
}
