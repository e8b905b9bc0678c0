// Watches paths for any change: written, replaced by rename, removed, created, or reached through a symbolic link that is swapped.
//
// Only directories are watched, and events are told apart by the name in them: an atomic rename, an editor's swap file, certbot's
// relinking and Kubernetes' ..data swap all replace directory entries, and a log file that grows beside a certificate costs one
// comparison per write. (chokidar reads the whole directory anew on each such event, which cost 4 % of a core under load.)

import { type FSWatcher, lstatSync, readlinkSync, statSync, watch } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";

/** Symbolic links followed on the way to one path; the kernel's own limit (ELOOP). */
const MAX_LINKS = 40;
/** Every name in the directory counts. */
const ANY = "*";

interface Watched {
  readonly watcher: FSWatcher;
  /** Which one it was that is watched. */
  readonly identity: string;
  names: Set<string>;
}

export interface Watch {
  /**
   * Replaces what is watched: `files` and whatever they link to, and every entry of `directories` (not what is below them). What
   * changed after `since` (milliseconds since the epoch), before it was watched, counts as changed now.
   */
  set(files: Iterable<string>, directories: Iterable<string>, since: number): void;
  close(): void;
}

export class PathWatch implements Watch {
  readonly #changed: () => void;
  readonly #watchers = new Map<string, Watched>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set(files: Iterable<string>, directories: Iterable<string>, since: number): void {
    const wanted = new Map<string, Set<string>>();
    const want = (directory: string, name: string) => {
      const names = wanted.get(directory);
      if (names === undefined) wanted.set(directory, new Set([name]));
      else names.add(name);
    };
    for (const directory of directories) {
      follow(resolve(directory), want);
      want(resolve(directory), ANY);
    }
    for (const file of files) {
      const path = resolve(file);
      follow(path, want);
      // Its directory may be replaced as a whole, or go away.
      if (dirname(path) !== sep) follow(dirname(path), want);
    }

    for (const [directory, { watcher, identity }] of this.#watchers) {
      // A directory that was replaced has the same name and is another one: its old watcher would wait for ever.
      if (wanted.has(directory) && identityOf(directory) === identity) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    let late = false;
    for (const [directory, names] of wanted) {
      const watched = this.#watchers.get(directory);
      if (watched !== undefined) watched.names = names;
      else if (this.#watch(directory, names)) late ||= namesChangedSince(directory, names, since);
      else late ||= identityOf(directory) !== null;
    }
    if (late) this.#changed();
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** false when the directory does not exist: then its coming is awaited in the nearest one that does. */
  #watch(directory: string, names: Set<string>): boolean {
    const identity = identityOf(directory);
    if (identity !== null) {
      const watcher = watcherOf(directory);
      if (watcher === null) return true;
      const entry: Watched = { watcher, identity, names };
      entry.watcher.on("change", (_, name) => {
        if (name === null || entry.names.has(ANY) || entry.names.has(String(name))) this.#changed();
      });
      entry.watcher.on("error", () => this.#changed());
      this.#watchers.set(directory, entry);
      return true;
    }
    const parent = dirname(directory);
    const known = this.#watchers.get(parent);
    if (known !== undefined) known.names.add(basename(directory));
    else if (parent !== directory) this.#watch(parent, new Set([basename(directory)]));
    return false;
  }
}

/** null for a directory that may be passed through but not listed, as /home/NAME often may: what is below it is watched all the same. */
function watcherOf(directory: string): FSWatcher | null {
  try {
    return watch(directory, { persistent: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}

/** The inode and when it was made: ext4 gives a new directory the inode of the one that was removed just before. */
function identityOf(path: string): string | null {
  try {
    const { ino, birthtimeMs } = statSync(path);
    return `${ino} ${birthtimeMs}`;
  } catch {
    return null;
  }
}

/** Of an entry that is not there the directory says when that became so; other names in it may change all the time. */
function namesChangedSince(directory: string, names: ReadonlySet<string>, since: number): boolean {
  return [...names].some((name) => {
    const changedAt = name === ANY ? null : ctimeOf(join(directory, name));
    return (changedAt ?? ctimeOf(directory) ?? 0) > since;
  });
}

/** Whether a path, or what it links to, is another one than it was then. `since` is milliseconds since the epoch. */
export function changedSince(path: string, since: number): boolean {
  return (ctimeOf(path) ?? 0) > since;
}

function ctimeOf(path: string): number | null {
  try {
    return lstatSync(path).ctimeMs;
  } catch {
    return null;
  }
}

/** Names every directory entry that decides what `path` is: the last one, and each symbolic link on the way. */
function follow(path: string, want: (directory: string, name: string) => void, links = 0): void {
  const parts = path.split(sep).filter(Boolean);
  let directory: string = sep;
  for (const [index, part] of parts.entries()) {
    const here = join(directory, part);
    let target: string | null = null;
    try {
      target = readlinkSync(here);
    } catch {
      // Not a link, or not there.
    }
    if (target !== null || index === parts.length - 1) want(directory, part);
    if (target !== null && links < MAX_LINKS) {
      follow(resolve(directory, target, ...parts.slice(index + 1)), want, links + 1);
      return;
    }
    directory = here;
  }
}
