// The file provider: one YAML file, or a directory of them read recursively in name order; watched, with the certificates they name.

import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, parseDynamic } from "../config/dynamic.ts";
import { describeError } from "../system/errors.ts";
import { readTextFile } from "../system/files.ts";
import type { Provider } from "./provider.ts";
import { PathWatch } from "./watch.ts";

const EXTENSIONS = /\.(ya?ml|toml)$/i;
/** A directory tree of configuration deeper than this is a loop or a mistake. */
const MAX_DEPTH = 16;

export interface FileProviderOptions {
  readonly directory?: string | undefined;
  readonly filename?: string | undefined;
  readonly watch: boolean;
}

export class FileProvider implements Provider {
  readonly name = "file";
  readonly #options: FileProviderOptions;
  #watch: PathWatch | null = null;
  /** Those that were read, with their sub-directories. */
  #directories: string[] = [];
  #readAt = 0;

  constructor(options: FileProviderOptions) {
    this.#options = options;
  }

  read(diagnostics: Diagnostics): readonly DynamicFile[] | null {
    const before = diagnostics.errors;
    this.#readAt = Date.now();
    const files: DynamicFile[] = [];
    for (const path of this.#files(diagnostics)) {
      const text = readTextFile(path);
      if (text.kind === "error") {
        diagnostics.error("file-unreadable", { file: path, line: 0, column: 0 }, text.message);
        continue;
      }
      const file = parseDynamic(path, text.text, diagnostics, this.name);
      if (file !== null) files.push(file);
    }
    return diagnostics.errors > before ? null : files;
  }

  watch(paths: ReadonlySet<string>, directories: ReadonlySet<string>, changed: () => void): void {
    if (!this.#options.watch) return;
    this.#watch ??= new PathWatch(changed);
    const { filename } = this.#options;
    const files = filename === undefined ? paths : [filename, ...paths];
    this.#watch.set(files, [...this.#directories, ...directories], this.#readAt);
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#watch = null;
  }

  #files(diagnostics: Diagnostics): string[] {
    const { directory, filename } = this.#options;
    if (directory === undefined) return filename === undefined ? [] : [filename];
    const found: string[] = [];
    this.#directories = [];
    collect(directory, found, this.#directories, diagnostics, 0);
    return found;
  }
}

/** Regular files in name order, sub-directories included; hidden ones are not configuration (`..data`, `.swp`). */
function collect(
  directory: string,
  found: string[],
  directories: string[],
  diagnostics: Diagnostics,
  depth: number,
): void {
  const place = { file: directory, line: 0, column: 0 };
  if (depth > MAX_DEPTH) {
    diagnostics.error("directory-unreadable", place, `nested deeper than ${MAX_DEPTH} directories: is it a loop?`);
    return;
  }
  directories.push(directory);
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch (error) {
    const hint =
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? `; relative paths start at the working directory, ${process.cwd()}`
        : "";
    diagnostics.error(
      "directory-unreadable",
      place,
      `${resolve(directory)}: cannot be read: ${describeError(error)}${hint}`,
    );
    return;
  }
  for (const name of names) {
    if (name.startsWith(".")) continue;
    const path = join(directory, name);
    const info = statOf(path);
    if (info?.isDirectory()) collect(path, found, directories, diagnostics, depth + 1);
    else if (EXTENSIONS.test(name) && (info === null || info.isFile())) found.push(path);
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
