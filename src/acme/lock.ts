// Two programs that share a file take turns by a lock file beside it. Who holds the lock renews it; one that is not renewed was left by
// a program that died, on whatever machine, and is taken over. (There is no flock() in the runtime, and it does not hold on every
// network file system anyway.)

import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";

/** A lock that was not renewed for this long is nobody's. */
const STALE_MS = 60_000;
const RENEW_MS = 10_000;
/** How often a taken lock is looked at again. */
const POLL_MS = 250;

export interface LockOptions {
  readonly staleMs?: number;
  readonly renewMs?: number;
  readonly pollMs?: number;
}

export class FileLock {
  readonly #path: string;
  readonly #owner = `${process.pid} ${randomUUID()}`;
  readonly #options: Required<LockOptions>;
  #renewal: ReturnType<typeof setInterval> | null = null;
  #closed = false;
  /** The lock of another as it was last seen to change, by our own clock: those of two machines may differ. */
  #seen = { mark: "", at: 0 };

  /** The lock of `file` is the file `file`.lock. */
  constructor(file: string, options: LockOptions = {}) {
    this.#path = `${file}.lock`;
    this.#options = { staleMs: STALE_MS, renewMs: RENEW_MS, pollMs: POLL_MS, ...options };
  }

  /** Waits for its turn, does `work`, and lets the next one in. @throws what `work` throws, and the system's error (EACCES, ENOENT, EROFS). */
  async during<T>(work: () => Promise<T>): Promise<T> {
    while (!this.#take()) {
      await new Promise((next) => setTimeout(next, this.#options.pollMs));
      if (this.#closed) throw new Error("given up");
    }
    this.#renewal = setInterval(() => this.#renew(), this.#options.renewMs);
    try {
      return await work();
    } finally {
      clearInterval(this.#renewal);
      this.#renewal = null;
      if (this.#isOurs()) rmSync(this.#path, { force: true });
    }
  }

  /** Waits no more. Work that is under way goes on, and keeps the lock. */
  giveUp(): void {
    this.#closed = true;
  }

  /** Waits no more, and lets the next one in at once: for a program that stops. */
  close(): void {
    this.#closed = true;
    if (this.#renewal !== null) clearInterval(this.#renewal);
    if (this.#isOurs()) rmSync(this.#path, { force: true });
  }

  /** Whether the lock is ours now. A link is made or not: two can never both believe that they have it. */
  #take(): boolean {
    const mine = `${this.#path}.${this.#owner.replace(" ", "-")}`;
    writeFileSync(mine, this.#owner, { mode: 0o600 });
    try {
      linkSync(mine, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      this.#breakStale();
      return false;
    } finally {
      rmSync(mine, { force: true });
    }
  }

  /** Moves a stale lock aside before it is removed, so that of several who find it one removes it, and nobody a new one. */
  #breakStale(): void {
    const aside = `${this.#path}.${randomUUID()}`;
    try {
      const { mtimeMs, ino } = statSync(this.#path);
      const mark = `${ino} ${mtimeMs}`;
      const now = performance.now();
      if (mark !== this.#seen.mark) this.#seen = { mark, at: now };
      if (now - this.#seen.at < this.#options.staleMs) return;
      renameSync(this.#path, aside);
      // Between the look and the move another may have taken it: then it is put back.
      if (statSync(aside).ino !== ino) linkSync(aside, this.#path);
    } catch {
      // Somebody else was faster; the next look tells.
    } finally {
      rmSync(aside, { force: true });
    }
  }

  #renew(): void {
    try {
      if (this.#isOurs()) utimesSync(this.#path, new Date(), new Date());
    } catch {
      // Gone: it was taken for stale, which `during` finds out at its end.
    }
  }

  #isOurs(): boolean {
    try {
      return readFileSync(this.#path, "utf8") === this.#owner;
    } catch {
      return false;
    }
  }
}
