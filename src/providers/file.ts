// The file provider: one YAML file, or a directory of them read recursively in name order; watched, with the certificates they name.

import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, parseDynamic } from "../config/dynamic.ts";
import { readTextFile, reasonOf } from "../config/files.ts";
import type { Provider } from "./provider.ts";

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
  #watcher: FSWatcher | null = null;
  #watched = new Set<string>();
  #changed: () => void = () => {};

  constructor(options: FileProviderOptions) {
    this.#options = options;
  }

  read(diagnostics: Diagnostics): readonly DynamicFile[] | null {
    const before = diagnostics.errors;
    const files: DynamicFile[] = [];
    for (const path of this.#files(diagnostics)) {
      const text = readTextFile(path);
      if (text.kind === "error") {
        diagnostics.error({ file: path, line: 0, column: 0 }, text.message);
        continue;
      }
      const file = parseDynamic(path, text.text, diagnostics);
      if (file !== null) files.push(file);
    }
    return diagnostics.errors > before ? null : files;
  }

  watch(paths: ReadonlySet<string>, changed: () => void): void {
    if (!this.#options.watch) return;
    this.#changed = changed;
    const wanted = new Set<string>();
    const own = this.#options.directory ?? this.#options.filename;
    // Directories are watched, not files: an atomic rename, an editor's swap file or a relinked ..data replaces the file itself.
    if (own !== undefined) wanted.add(this.#options.directory === undefined ? dirname(resolve(own)) : resolve(own));
    for (const path of paths) for (const each of [path, realPath(path)]) wanted.add(dirname(each));
    if (this.#watcher === null) {
      this.#watcher = watch([...wanted], {
        ignoreInitial: true,
        followSymlinks: true,
        depth: MAX_DEPTH,
        ignored: (path, stats) => stats?.isFile() === true && !this.#matters(path),
      });
      this.#watcher.on("all", (_, path) => {
        if (this.#matters(path) || statOf(path)?.isFile() !== true) this.#changed();
      });
      this.#watcher.on("error", () => this.#changed());
    } else {
      const added = [...wanted].filter((path) => !this.#watched.has(path));
      const removed = [...this.#watched].filter((path) => !wanted.has(path));
      if (added.length > 0) this.#watcher.add(added);
      if (removed.length > 0) this.#watcher.unwatch(removed);
    }
    this.#watched = wanted;
    this.#paths = paths;
  }

  async close(): Promise<void> {
    await this.#watcher?.close();
    this.#watcher = null;
  }

  #paths: ReadonlySet<string> = new Set();

  #matters(path: string): boolean {
    return (
      EXTENSIONS.test(path) ||
      this.#paths.has(path) ||
      basename(path).startsWith("..") ||
      /\.(pem|crt|cer|key)$/i.test(path)
    );
  }

  #files(diagnostics: Diagnostics): string[] {
    const { directory, filename } = this.#options;
    if (directory === undefined) return filename === undefined ? [] : [filename];
    const found: string[] = [];
    collect(directory, found, diagnostics, 0);
    return found;
  }
}

/** Regular files in name order, sub-directories included; hidden ones are not configuration (`..data`, `.swp`). */
function collect(directory: string, found: string[], diagnostics: Diagnostics, depth: number): void {
  const place = { file: directory, line: 0, column: 0 };
  if (depth > MAX_DEPTH) {
    diagnostics.error(place, `nested deeper than ${MAX_DEPTH} directories: is it a loop?`);
    return;
  }
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch (error) {
    const hint =
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? `; relative paths start at the working directory, ${process.cwd()}`
        : "";
    diagnostics.error(place, `${resolve(directory)}: cannot be read: ${reasonOf(error)}${hint}`);
    return;
  }
  for (const name of names) {
    if (name.startsWith(".")) continue;
    const path = join(directory, name);
    const info = statOf(path);
    if (info?.isDirectory()) collect(path, found, diagnostics, depth + 1);
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

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
