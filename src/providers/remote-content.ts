// What a remote provider has read, as an offer: the last good one stays, a store that comes back empty is not taken for meant, and a cache
// remembers it over a restart.

import { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, parseDynamic } from "../config/dynamic.ts";
import { printable } from "../text/printable.ts";
import { Cache } from "./cache.ts";
import type { Content, Document, Engine, Entry, Reading } from "./engine.ts";
import { FlatConfiguration } from "./flat.ts";
import { IMPORT_MARK } from "./kv/mark.ts";
import type { Offer } from "./provider.ts";

/** From a reading to its writing into the cache: of a burst only the last is written. Milliseconds. */
const CACHE_MS = 1000;

export class RemoteContent {
  readonly #engine: Pick<Engine, "name" | "place">;
  readonly #flat: FlatConfiguration;
  readonly #cache: Cache | null;
  readonly #isReadOnly: boolean;
  /** The last one that was good; the same object while nothing has changed. */
  offer: Offer | null = null;
  /** The newest reading is what is offered. */
  isSound = false;
  /** Its parts stand each for itself. */
  isLoose = true;
  /** What was found in the newest reading. */
  diagnostics = new Diagnostics();
  /** The last text, what it was decoded to (null: it could not be), and what was said of it. */
  #parsed: { readonly text: string; readonly file: DynamicFile | null; readonly said: Diagnostics } | null = null;
  /** When the cache was written whose content is offered; null where it is not. */
  #cachedAt: number | null = null;
  #cacheFault: string | null = null;
  #isRecalled = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #unwritten: { readonly content: Content; readonly at: number } | null = null;
  /** Since the last reading the engine has always been there: what is missing now has been removed. */
  #isUnbroken = false;
  #isForced = false;

  constructor(
    engine: Pick<Engine, "name" | "place">,
    entryPoints: ReadonlySet<string>,
    cache: string | null,
    isReadOnly: boolean,
  ) {
    this.#engine = engine;
    this.#flat = new FlatConfiguration(engine.place, engine.name, entryPoints);
    this.#cache = cache === null ? null : new Cache(cache, engine.name, engine.place);
    this.#isReadOnly = isReadOnly;
  }

  take({ content, remarks = [] }: Reading): void {
    const diagnostics = new Diagnostics();
    for (const { severity, code, place, message } of remarks)
      diagnostics[severity === "error" ? "error" : "warn"](code, { file: place, line: 0, column: 0 }, message);
    const former = this.offer;
    this.isSound = "text" in content ? this.#document(content, diagnostics) : this.#entries(content, diagnostics);
    this.diagnostics = diagnostics;
    if (!this.isSound) return;
    this.#isUnbroken = true;
    this.#isForced = false;
    this.#cachedAt = null;
    if (this.offer !== former) this.#remember(content);
    this.#sayFault();
  }

  /** The engine was away, or may have been: what is missing at the next reading may have got lost. */
  broken(): void {
    this.#isUnbroken = false;
  }

  /** The next reading is meant, even if nothing is in it: somebody has asked for it by hand. */
  takeWhateverIsThere(): void {
    this.#isForced = true;
  }

  /** Offers what the cache has, where there is nothing else. */
  recall(): void {
    if (this.#cache === null || this.#isRecalled) return;
    this.#isRecalled = true;
    const cached = this.#cache.read();
    if (cached.kind === "none") return;
    const diagnostics = new Diagnostics();
    if (cached.kind === "error") diagnostics.warn("cache-unusable", this.#cacheAt(), cached.message);
    else if ("text" in cached.content) this.#document(cached.content, diagnostics);
    else this.#entries(cached.content, diagnostics);
    this.diagnostics = diagnostics;
    if (cached.kind === "ok" && this.offer !== null) this.#cachedAt = cached.at;
  }

  /** What serves while the engine is away. */
  standing(): string {
    if (this.offer === null)
      return this.#cache === null
        ? "there is nothing of it until it can be (with  providers.cache  a restart would serve what was last good)"
        : "there is nothing of it until it can be, since the cache has nothing either";
    return this.#cachedAt === null
      ? "what it gave last goes on serving"
      : `what it gave on ${new Date(this.#cachedAt).toISOString()} is served from the cache`;
  }

  /** Writes what is not in the cache yet. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#write();
  }

  #entries(entries: readonly Entry[], diagnostics: Diagnostics): boolean {
    this.isLoose = true;
    const mark = entries.find(({ path }) => path === IMPORT_MARK);
    if (mark !== undefined) {
      diagnostics.warn(
        "import-unfinished",
        { file: mark.place, line: 0, column: 0 },
        `an import that began on ${printable(mark.value)} is not finished: what was there before goes on serving. If it does not run any more, run it again with --resume`,
      );
      return false;
    }
    if (entries.length === 0 && this.#flat.size > 0 && !this.#isUnbroken && !this.#isForced) {
      diagnostics.error(
        "provider-emptied",
        this.#at(),
        "was away, and nothing is in it now: what it gave before goes on serving. If nothing shall be served, send SIGHUP",
      );
      return false;
    }
    const file = this.#flat.read(entries, diagnostics);
    if (this.offer?.[0] !== file) this.offer = [file];
    return true;
  }

  #document({ place, text }: Document, diagnostics: Diagnostics): boolean {
    this.isLoose = false;
    const at = { file: place, line: 0, column: 0 };
    if (text.trim() === "") {
      diagnostics.error(
        "file-vanished",
        at,
        "is empty: what it gave before goes on serving. If nothing shall be served, write  {}  into it",
      );
      return false;
    }
    if (this.#parsed?.text !== text) {
      const said = new Diagnostics();
      this.#parsed = { text, file: parseDynamic(place, text, said, this.#engine.name), said };
    }
    const { file, said } = this.#parsed;
    diagnostics.take(said);
    if (file !== null && this.offer?.[0] !== file) this.offer = [file];
    return file !== null;
  }

  #remember(content: Content): void {
    if (this.#cache === null || this.#isReadOnly) return;
    this.#unwritten = { content, at: Date.now() };
    this.#timer ??= setTimeout(() => this.#write(), CACHE_MS);
  }

  #write(): void {
    this.#timer = null;
    if (this.#unwritten === null) return;
    const { content, at } = this.#unwritten;
    this.#unwritten = null;
    const former = this.#cacheFault;
    this.#cacheFault = this.#cache!.write(content, at);
    if (former === null) this.#sayFault();
  }

  #sayFault(): void {
    if (this.#cacheFault !== null)
      this.diagnostics.warn("cache-unusable", this.#cacheAt(), `cannot be written: ${this.#cacheFault}`);
  }

  #at() {
    return { file: this.#engine.place, line: 0, column: 0 };
  }

  #cacheAt() {
    return { file: this.#cache!.file, line: 0, column: 0 };
  }
}
