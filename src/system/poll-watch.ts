// Watches paths by asking again and again what they are: for file systems that send no events (NFS, SMB, some mounts of containers).

import type { Stats } from "node:fs";
import { resolve } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import { changedSince, type Watch } from "./watch.ts";

export class PollWatch implements Watch {
  readonly #changed: () => void;
  readonly #interval: number;
  #watcher: FSWatcher | null = null;
  /** What is watched: when that is the same, the watcher stays. "" makes a new one the next time. */
  #watched = "";
  #closed = false;

  /** Asks every `interval` milliseconds. */
  constructor(changed: () => void, interval: number) {
    this.#changed = changed;
    this.#interval = interval;
  }

  set(files: Iterable<string>, directories: Iterable<string>, since: number): void {
    const paths = [...new Set([...files, ...directories].map((path) => resolve(path)))].sort();
    const watched = JSON.stringify(paths);
    if (this.#closed || watched === this.#watched) return;
    this.#watched = watched;
    const former = this.#watcher;
    const watcher = watch(paths, {
      usePolling: true,
      interval: this.#interval,
      binaryInterval: this.#interval,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      persistent: false,
      depth: 0,
    });
    this.#watcher = watcher;
    let isReady = false;
    watcher.on("ready", () => {
      isReady = true;
      // Until now the one before it has looked: nothing is missed in between.
      void former?.close();
      if (former === null && paths.some((path) => changedSince(path, since))) this.#changed();
    });
    const watchedPaths = new Set(paths);
    watcher.on("all", (event, path) => {
      if (!isReady) return;
      // chokidar does not follow what has gone and comes back, nor what was not there from the beginning.
      if (event !== "change" && watchedPaths.has(path)) this.#watched = "";
      this.#changed();
    });
    // A file that is replaced by an older one, of the same size, is no change to chokidar.
    watcher.on("raw", (_event, _path, details) => {
      const { curr, prev } = details as { curr?: Stats; prev?: Stats };
      if (isReady && curr !== undefined && prev !== undefined && differs(curr, prev)) this.#changed();
    });
    watcher.on("error", () => this.#changed());
  }

  close(): void {
    this.#closed = true;
    void this.#watcher?.close();
    this.#watcher = null;
  }
}

/** Not by the time of the last access: reading is none of a change. */
function differs(a: Stats, b: Stats): boolean {
  return a.ino !== b.ino || a.size !== b.size || a.mtimeMs !== b.mtimeMs || a.ctimeMs !== b.ctimeMs;
}
