// The file provider: one YAML file, or a directory of them read recursively in name order.

import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, parseDynamic } from "../config/dynamic.ts";
import { silentFileSystem } from "../system/file-systems.ts";
import { readTextFile } from "../system/files.ts";
import type { Watch } from "../system/watch.ts";
import { createWatch, type Polling } from "../system/watcher.ts";
import type { Current, Offer, Provider } from "./provider.ts";
import { findFiles, leadsToNothing, type Tree } from "./tree.ts";

export interface FileProviderOptions {
  readonly directory?: string | undefined;
  readonly filename?: string | undefined;
  readonly watch: boolean;
  /** Milliseconds between two looks; null: the system tells of changes. */
  readonly poll: Polling;
}

/** Characters of files that are decoded together, from which on the memory for it matters. */
const LARGE = 2_000_000;

/** A file as it was read: of 1000 files mostly one changes at a time, and the others need not be decoded again. */
interface ReadFile {
  readonly text: string;
  readonly file: DynamicFile | null;
  /** What was found in it. */
  readonly diagnostics: Diagnostics;
}

export class FileProvider implements Provider {
  readonly name = "file";
  readonly #options: FileProviderOptions;
  readonly #once: boolean;
  #watch: Watch | null = null;
  #current: Current | null = null;
  /** What each file held when it was last read. */
  #read = new Map<string, ReadFile>();
  /** How many files have been decoded so far: one that holds what it held is not. */
  decoded = 0;
  /** Something may have changed since `#current` was read. */
  #isStale = true;

  /** `once`: it is asked once, so it looks for no change. */
  constructor(options: FileProviderOptions, once = false) {
    this.#once = once;
    this.#options = options;
  }

  async start(changed: () => void): Promise<void> {
    if (this.#options.watch && !this.#once)
      this.#watch = createWatch(() => {
        if (this.#isStale) return;
        this.#isStale = true;
        changed();
      }, this.#options.poll);
    this.current();
  }

  /** Reads when something has changed, so that a burst of changes is read once, when the burst is over. */
  current(): Current {
    if (!this.#isStale && this.#current !== null) return this.#current;
    this.#isStale = false;
    const readAt = Date.now();
    const diagnostics = new Diagnostics();
    const tree = this.#tree(diagnostics);
    const offer = this.#readAll(tree, diagnostics);
    this.#checkFileSystem(tree, diagnostics);
    this.#current = {
      offer: offer ?? this.#current?.offer ?? null,
      fresh: offer !== null,
      diagnostics,
    };
    this.#watch?.set(tree.files, tree.directories, readAt);
    return this.#current;
  }

  async refresh(): Promise<void> {
    this.#isStale = true;
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#watch = null;
  }

  #tree(diagnostics: Diagnostics): Tree {
    const { directory, filename } = this.#options;
    if (directory !== undefined) return findFiles(directory, diagnostics);
    return { files: filename === undefined ? [] : [filename], directories: [] };
  }

  /** null when anything cannot be read: what it held is not known, and without it the rest may mean something else. */
  #readAll({ files: paths }: Tree, diagnostics: Diagnostics): Offer | null {
    const files: DynamicFile[] = [];
    const read = new Map<string, ReadFile>();
    let decodedSize = 0;
    for (const path of paths) {
      const text = readTextFile(path);
      if (text.kind === "error") diagnostics.error("file-unreadable", placeOf(path), text.message);
      else {
        if (text.text.trim() === "") this.#sayEmpty(path, diagnostics);
        const known = this.#read.get(path);
        const isKnown = known?.text === text.text;
        const each = isKnown ? known : this.#decode(path, text.text);
        if (!isKnown) decodedSize += text.text.length;
        read.set(path, each);
        diagnostics.take(each.diagnostics);
        if (each.file !== null) files.push(each.file);
      }
    }
    this.#read = read;
    // Reading them leaves much behind that compiling would come on top of.
    if (decodedSize > LARGE) Bun.gc(true);
    this.#checkVanished(new Set(paths), diagnostics);
    return diagnostics.errors > 0 ? null : files;
  }

  #decode(path: string, text: string): ReadFile {
    this.decoded++;
    const diagnostics = new Diagnostics();
    return { text, file: parseDynamic(path, text, diagnostics, this.name), diagnostics };
  }

  /** A file without a byte is one that is being written, or that lost what was in it. Nobody empties a configuration like that. */
  #sayEmpty(path: string, diagnostics: Diagnostics): void {
    const former = this.#former(path);
    if (former === undefined || isNothing(former))
      diagnostics.warn("file-empty", placeOf(path), "is empty: nothing is read from it");
    else
      diagnostics.error(
        "file-vanished",
        placeOf(path),
        "is empty now: what it held goes on serving. If nothing shall be in it, write  {}  into it",
      );
  }

  /** A file that someone removes is meant to be gone; one that has become something else is not, nor are all of them at once. */
  #checkVanished(paths: ReadonlySet<string>, diagnostics: Diagnostics): void {
    const former = this.#current?.offer ?? [];
    for (const { source } of former) {
      const kind = paths.has(source.name) ? null : oddKindOf(source.name);
      if (kind !== null)
        diagnostics.error("file-vanished", placeOf(source.name), `is ${kind} now: what it held goes on serving`);
    }
    const gone = new Set(former.map(({ source }) => dirname(source.name)));
    // Grows while it is gone through, by the directories above.
    for (const each of gone) {
      if (leadsToNothing(each))
        diagnostics.error(
          "file-vanished",
          placeOf(each),
          "was a directory, and leads to nothing now: what its files held goes on serving. If they shall be gone, remove it",
        );
      if (each !== this.#options.directory && dirname(each) !== each) gone.add(dirname(each));
    }
    const { directory } = this.#options;
    if (directory !== undefined && paths.size === 0 && diagnostics.errors === 0 && !former.every(isNothing))
      diagnostics.error(
        "file-vanished",
        placeOf(directory),
        "has no configuration file any more: what they held goes on serving. If nothing shall be served, leave a file with  {}  in it",
      );
  }

  /** Whoever does not watch has decided so. */
  #checkFileSystem({ files, directories }: Tree, diagnostics: Diagnostics): void {
    if (!this.#options.watch || this.#options.poll !== null || diagnostics.errors > 0) return;
    // Another file system may be mounted, or linked to, below the root.
    for (const path of this.#options.directory === undefined ? files : directories) {
      const kind = silentFileSystem(path);
      if (kind === null) continue;
      diagnostics.warn(
        "file-system-silent",
        placeOf(path),
        `is on ${kind}, which may send no events: what is changed elsewhere is noticed with  providers.file.poll: 5s , or at SIGHUP`,
      );
      return;
    }
  }

  #former(path: string): DynamicFile | undefined {
    return this.#current?.offer?.find(({ source }) => source.name === path);
  }
}

/** Whether a file gives nothing at all. */
function isNothing({ source }: DynamicFile): boolean {
  return source.namesAt([]).length === 0;
}

function oddKindOf(path: string): string | null {
  try {
    const info = statSync(path);
    return info.isFile() ? null : info.isDirectory() ? "a directory" : "no regular file";
  } catch {
    return null;
  }
}

function placeOf(file: string) {
  return { file, line: 0, column: 0 };
}
