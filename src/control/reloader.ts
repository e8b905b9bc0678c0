// Reloads: when something has changed, load it all anew and hand it on, or keep what serves and say what is wrong.

import { CertificateFiles, type Failure } from "../certs/files.ts";
import { CertificateMemory } from "../certs/memory.ts";
import { type AcmeInput, type Compiled, type CompileInput, NO_ACME } from "../compile/compile.ts";
import { load } from "../compile/load.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Provider } from "../providers/provider.ts";
import { momentsOf, Reminder } from "./reminder.ts";

/** Editors and certificate tools write several files in a row; a change is read when none has followed for this long. */
const SETTLE_MS = 50;

/** How soon and how often a half-written pair is looked at again. */
const RETRY_MS = 1000;
const MAX_RETRIES = 10;
/** A load that took longer has left much behind. */
const LARGE_LOAD_MS = 500;

export interface ReloadOutcome {
  /** null: refused, the former one goes on serving. */
  readonly compiled: Compiled | null;
  readonly diagnostics: Diagnostics;
  /** Sources of certificates that could not be used; null when they were not looked at. */
  readonly failures: readonly Failure[] | null;
  readonly durationMs: number;
}

export class Reloader {
  readonly #config: StaticConfig;
  readonly #provider: Provider;
  readonly #selfSigned: CompileInput["selfSigned"];
  readonly #done: (outcome: ReloadOutcome) => void;
  readonly #acme: () => AcmeInput;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #open = false;
  #missed = false;
  #paths: ReadonlySet<string> = new Set();
  readonly #memory = new CertificateMemory();
  #retries = 0;
  readonly #reminder = new Reminder(() => this.request());

  /** `done` hears of every reload, successful or not; `acme` says what resolvers have obtained by then. */
  constructor(
    config: StaticConfig,
    provider: Provider,
    selfSigned: CompileInput["selfSigned"],
    done: (outcome: ReloadOutcome) => void,
    acme: () => AcmeInput = () => NO_ACME,
  ) {
    this.#config = config;
    this.#provider = provider;
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
        `cannot be loaded: ${(error as Error).message}`,
      );
      return { compiled: null, diagnostics, failures: null, durationMs: this.#lastAt - started };
    }
  }

  /** Loads now, and from here on watches what was read. */
  load(): ReloadOutcome {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const started = performance.now();
    const startedAt = Date.now();
    const diagnostics = new Diagnostics();
    const files = new CertificateFiles(this.#memory);
    const { compiled, looked } = load(this.#config, this.#provider, this.#selfSigned, diagnostics, files, this.#acme());
    this.#lastAt = performance.now();
    // After a failed load the old paths are watched too: mending any of them must be noticed.
    this.#paths = compiled === null ? new Set([...this.#paths, ...files.paths]) : files.paths;
    this.#provider.watch(this.#paths, files.directories, () => this.request());
    this.#retry(files.incomplete);
    if (compiled !== null) this.#reminder.set(momentsOf(compiled, files.waiting), startedAt);
    const durationMs = this.#lastAt - started;
    // The syntax trees of large files are many times their size: freed now, in one pause of a process that moves no traffic.
    if (durationMs > LARGE_LOAD_MS) setTimeout(() => Bun.gc(true), 0);
    return { compiled, diagnostics, failures: looked ? files.failures : null, durationMs };
  }

  /** A pair that is half written is looked at again, on file systems without events too, but not for ever. */
  #retry(incomplete: boolean): void {
    this.#retries = incomplete ? this.#retries + 1 : 0;
    const watched = this.#config.providers.file?.watch ?? true;
    if (incomplete && watched && this.#retries <= MAX_RETRIES) setTimeout(() => this.request(), RETRY_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reminder.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#provider.close();
  }
}
