// Reloads: when something has changed, load it all anew and hand it on, or keep what serves and say what is wrong.

import { type AcmeInput, NO_ACME } from "../acme/facts.ts";
import { CertificateFiles, type Failure } from "../certs/files.ts";
import { CertificateMemory } from "../certs/memory.ts";
import type { Compiled, CompileInput } from "../compile/compile.ts";
import { Accepted, load } from "../compile/load.ts";
import type { Merged } from "../compile/merge.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Provider } from "../providers/provider.ts";
import type { Watch } from "../system/watch.ts";
import { createWatch } from "../system/watcher.ts";
import { momentsOf, Reminder } from "./reminder.ts";
import { cannotLoad, whyNotLoaded } from "./start-error.ts";

/** Editors and certificate tools write several files in a row; a change is read when none has followed for this long. */
const SETTLE_MS = 50;

/** How soon and how often a half-written pair is looked at again. */
const RETRY_MS = 1000;
const MAX_RETRIES = 10;
/** A load that took longer has left much behind. */
const LARGE_LOAD_MS = 500;
/** The rows of a large load are with the workers by then. */
const SENT_MS = 3000;

export interface ReloadOutcome {
  /** null: refused as a whole, the former one goes on serving. */
  readonly compiled: Compiled | null;
  /** Providers whose newest offer is not in force. */
  readonly refused: readonly string[];
  readonly diagnostics: Diagnostics;
  /** What is in force from now on; null where nothing ever was. */
  readonly merged: Merged | null;
  /** Sources of certificates that could not be used; null when they were not looked at. */
  readonly failures: readonly Failure[] | null;
  readonly durationMs: number;
}

export class Reloader {
  readonly #config: StaticConfig;
  readonly #providers: readonly Provider[];
  readonly #selfSigned: CompileInput["selfSigned"];
  readonly #done: (outcome: ReloadOutcome) => void;
  readonly #acme: () => AcmeInput;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #open = false;
  #missed = false;
  /** Watches certificates and whatever else the configuration names, wherever it comes from. null: nothing is watched. */
  readonly #watch: Watch | null;
  #paths: ReadonlySet<string> = new Set();
  readonly #memory = new CertificateMemory();
  readonly #accepted = new Accepted();
  #retries = 0;
  readonly #reminder = new Reminder(() => this.request());

  /** `done` hears of every reload, successful or not; `acme` says what resolvers have obtained by then. */
  constructor(
    config: StaticConfig,
    providers: readonly Provider[],
    selfSigned: CompileInput["selfSigned"],
    done: (outcome: ReloadOutcome) => void,
    acme: () => AcmeInput = () => NO_ACME,
  ) {
    this.#config = config;
    this.#providers = providers;
    const { watch = true, poll = null } = config.providers.file ?? {};
    this.#watch = watch ? createWatch(() => this.request(), poll) : null;
    this.#selfSigned = selfSigned;
    this.#done = done;
    this.#acme = acme;
  }

  /** Reloads soon: at once after a quiet time, else when providersThrottleDuration has passed since the last reload. */
  request(): void {
    if (this.#closed || this.#timer !== null) return;
    if (!this.#open) {
      this.#missed = true;
      return;
    }
    const wait = this.#lastAt + this.#config.providers.providersThrottleDuration - performance.now();
    this.#timer = setTimeout(() => this.now(), Math.max(SETTLE_MS, wait));
  }

  /**
   * Starts the providers, and loads for the first time.
   * @throws StartError when that cannot even be tried, as when nothing more can be watched.
   */
  async start(): Promise<ReloadOutcome> {
    try {
      await Promise.all(this.#providers.map((each) => each.start(() => this.request())));
      return this.load();
    } catch (error) {
      throw cannotLoad(error);
    }
  }

  /** Reads everything anew, whether or not it seems to have changed. */
  async refresh(): Promise<void> {
    await Promise.all(this.#providers.map((each) => each.refresh()));
    this.request();
  }

  /** From now on changes are reloaded; one that came since the first load is, too. */
  open(): void {
    this.#open = true;
    if (this.#missed) this.request();
  }

  now(): void {
    this.#done(this.#loadOrRefuse());
  }

  /** What cannot even be looked at is refused: relative paths throw when the working directory is gone, and the master must outlive that. */
  #loadOrRefuse(): ReloadOutcome {
    const started = performance.now();
    try {
      return this.load();
    } catch (error) {
      this.#lastAt = performance.now();
      const diagnostics = new Diagnostics();
      diagnostics.error(
        "load-failed",
        { file: "the configuration", line: 0, column: 0 },
        `cannot be loaded: ${whyNotLoaded(error as NodeJS.ErrnoException) ?? (error as Error).message}`,
      );
      const refused = this.#providers.map(({ name }) => name);
      const { merged } = this.#accepted;
      return { compiled: null, refused, diagnostics, merged, failures: null, durationMs: this.#lastAt - started };
    }
  }

  /** Loads now, and from here on watches what was read. */
  load(): ReloadOutcome {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const started = performance.now();
    const startedAt = Date.now();
    const diagnostics = new Diagnostics();
    const { compiled, refused, files } = load(
      {
        config: this.#config,
        providers: new Map(this.#providers.map((each) => [each.name, each.current()])),
        selfSigned: this.#selfSigned,
        acme: this.#acme(),
        accepted: this.#accepted,
        certificates: () => new CertificateFiles(this.#memory),
      },
      diagnostics,
    );
    this.#lastAt = performance.now();
    const paths = files.flatMap((each) => [...each.paths]);
    // After a refused load the old paths are watched too: mending any of them must be noticed.
    this.#paths = new Set(compiled === null ? [...this.#paths, ...paths] : paths);
    const directories = files.flatMap((each) => [...each.directories]);
    this.#watch?.set(this.#paths, directories, startedAt);
    this.#retry(files.some((each) => each.incomplete));
    if (compiled !== null) {
      const waiting = files.flatMap((each) => each.waiting);
      this.#reminder.set(momentsOf(compiled, waiting), startedAt);
    }
    const durationMs = this.#lastAt - started;
    // Freed before the rows go to workers, which takes memory too; and what they are copied into, when they are there.
    if (durationMs > LARGE_LOAD_MS) {
      Bun.gc(true);
      setTimeout(() => Bun.gc(true), SENT_MS).unref();
    }
    const failures = files.length === 0 ? null : files.flatMap((each) => each.failures);
    const { merged } = this.#accepted;
    return { compiled, refused, diagnostics, merged, failures, durationMs };
  }

  /** A pair that is half written is looked at again, on file systems without events too, but not for ever. */
  #retry(incomplete: boolean): void {
    this.#retries = incomplete ? this.#retries + 1 : 0;
    if (incomplete && this.#watch !== null && this.#retries <= MAX_RETRIES)
      setTimeout(() => this.request(), RETRY_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reminder.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#watch?.close();
    await Promise.all(this.#providers.map((each) => each.close()));
  }
}
