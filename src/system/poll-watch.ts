// Watches paths by asking again and again what they are: for file systems that send no events (NFS, SMB, some mounts of containers).

import type { Stats } from "node:fs";
import { resolve } from "node:path";
import type { FSWatcher } from "chokidar";
import { statOf } from "./files.ts";
import { changedSince, type Watch } from "./watch.ts";

export class PollWatch implements Watch {
  readonly #changed: () => void;
  readonly #interval: number;
  #watcher: FSWatcher | null = null;
  /** Those before it, which look on until it does. */
  readonly #formers = new Set<FSWatcher>();
  /** What is watched: when that is the same, the watcher stays. "" makes a new one the next time. */
  #watched = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
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
    if (this.#watcher !== null) this.#formers.add(this.#watcher);
    const before = looksOf(paths);
    const { watch } = require("chokidar") as typeof import("chokidar"); // not before it is needed
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
      // One that is replaced before it is ready is closed with those before it, once its follower is.
      if (watcher !== this.#watcher) return;
      this.#closeFormers();
      if (paths.some((path) => changedSince(path, since))) this.#changed();
      // Its first look comes a moment after the one here: what changes in between would be no change to it.
      this.#timer = setTimeout(() => {
        if (watcher === this.#watcher && looksOf(paths) !== before) this.#changed();
      }, this.#interval);
      this.#timer.unref();
    });
    watcher.on("all", (event) => {
      if (!isReady) return;
      // chokidar does not follow what has gone and comes back, nor what was not there from the beginning.
      if (event !== "change") this.#watched = "";
      this.#changed();
    });
    // A file that is replaced by an older one, of the same size, is no change to chokidar.
    watcher.on("raw", (_event, path, details) => {
      const { curr, prev } = details as { curr?: Stats; prev?: Stats };
      if (!isReady || curr === undefined || prev === undefined || lookOf(curr) === lookOf(prev)) return;
      // Of a path that is not there its directory is watched, and what comes in there is not.
      if (!paths.includes(path)) this.#watched = "";
      this.#changed();
    });
    watcher.on("error", () => this.#changed());
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#closeFormers();
    void this.#watcher?.close();
    this.#watcher = null;
  }

  #closeFormers(): void {
    for (const former of this.#formers) void former.close();
    this.#formers.clear();
  }
}

function looksOf(paths: readonly string[]): string {
  return paths.map((path) => lookOf(statOf(path))).join(" ");
}

/** What tells one state of a file from another. Not the time of the last access: reading is no change. */
function lookOf(info: Stats | null): string {
  return info === null ? "none" : [info.ino, info.size, info.mtimeMs, info.ctimeMs].join();
}
