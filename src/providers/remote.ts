// The life that all providers have in common whose routes are kept elsewhere: read, watch, read again; away, and back after a pause that
// grows; what was last good goes on meanwhile, over a restart too where there is a cache. What is read is an engine's matter (engine.ts).

import { Diagnostics } from "../config/diagnostics.ts";
import { describeError } from "../system/errors.ts";
import type { Engine, Reading } from "./engine.ts";
import { BackOff, pause } from "./pause.ts";
import type { Current, Provider, ProviderState } from "./provider.ts";
import { RemoteContent } from "./remote-content.ts";

/** Changes come in bursts: what follows within this time is read with them. Milliseconds. */
const SETTLE_MS = 30;
/** From the end of one reading to the next. Milliseconds. */
const REST_MS = 100;
/** A reading during which something changed may show half of it: it is read again, but so often at most. */
const MAX_READINGS = 5;
/** An engine that hangs counts as away. Milliseconds. */
const READ_MS = 30_000;
/** A start waits for the first reading so long at most. Milliseconds. */
const START_MS = 5000;
/** A watch that lasts so long is a good one. Milliseconds. */
const STABLE_MS = 10_000;
/** One watch may end, as when a server is restarted. When so many end one after another, something is wrong with watching. */
const DEAF_AFTER = 2;

export interface RemoteOptions {
  /** Names of the entry points that there are. */
  readonly entryPoints: ReadonlySet<string>;
  /** The directory of `providers.cache`, or null. */
  readonly cache: string | null;
  /** It is read once, and nothing is written. */
  readonly once: boolean;
  /** It is there again, after so many milliseconds. */
  readonly onBack?: (name: string, awayMs: number) => void;
  /** Of tests: how long to pause, and how long a start waits. */
  readonly backOff?: BackOff;
  readonly startMs?: number;
}

export class RemoteProvider implements Provider {
  readonly name: string;
  readonly #engine: Engine;
  readonly #options: RemoteOptions;
  readonly #content: RemoteContent;
  readonly #backOff: BackOff;
  readonly #closing = new AbortController();
  #changed: () => void = () => {};
  /** `changed` was called, and nobody has asked since. */
  #isTold = true;
  #current: Current;
  /** When it was last seen to be away, performance.now(); null while it is there. */
  #awaySince: number | null = performance.now();
  /** Why it is away. */
  #away: string | null = "it has not answered yet";
  /** Somebody has been told that it is away. */
  #isMissed = false;
  /** Why no change is heard of, although reading works. */
  #deaf: string | null = null;
  #watchesEnded = 0;
  #lastSuccess = 0;
  /** Something has changed, or is to be read again. */
  #isDirty = false;
  #wake: () => void = () => {};
  #attempt = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();

  constructor(engine: Engine, options: RemoteOptions) {
    this.name = engine.name;
    this.#engine = engine;
    this.#options = options;
    this.#backOff = options.backOff ?? new BackOff();
    this.#content = new RemoteContent(engine, options.entryPoints, options.cache, options.once);
    this.#current = this.#now();
    this.#closing.signal.addEventListener("abort", () => this.#wake());
  }

  async start(changed: () => void): Promise<void> {
    const { promise } = this.#attempt;
    this.#running = this.#options.once ? this.#readOnce() : this.#run();
    await this.#within(this.#options.startMs ?? START_MS, promise);
    // One that hangs is away until it answers.
    if (this.#lastSuccess === 0) {
      this.#isMissed = true;
      if (this.#content.offer === null) this.#content.recall();
    }
    this.#publish();
    this.#isTold = false;
    this.#changed = changed;
  }

  current(): Current {
    this.#isTold = false;
    return this.#current;
  }

  state(): ProviderState {
    return { isUp: this.#away === null, lastSuccess: this.#lastSuccess };
  }

  async refresh(): Promise<void> {
    const { promise } = this.#attempt;
    this.#content.takeWhateverIsThere();
    this.#isTold = true;
    this.#ring();
    await this.#within(START_MS, promise);
    this.#isTold = false;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#running;
    this.#content.close();
    // What is given back with an error is given back.
    await this.#engine.close().catch(() => {});
  }

  async #readOnce(): Promise<void> {
    await this.#read(this.#closing.signal).catch((error) => this.#isAway(error));
    this.#attempted();
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      const round = new AbortController();
      const signal = AbortSignal.any([closing, round.signal]);
      try {
        await this.#read(signal);
        this.#attempted();
        await this.#follow(signal);
      } catch (error) {
        if (closing.aborted) break;
        if (error instanceof WatchEnded) this.#hearsNothing(error.message);
        else this.#isAway(error);
      } finally {
        round.abort();
        this.#attempted();
      }
      this.#isDirty = false;
      const cut = new AbortController();
      this.#wake = () => cut.abort();
      await pause(this.#backOff.next(), AbortSignal.any([closing, cut.signal]));
    }
  }

  /** Reads again after each change, until the watch ends or a reading fails: it always throws. */
  async #follow(signal: AbortSignal): Promise<never> {
    let ended: WatchEnded | null = null;
    const onEnd = (error?: unknown) => {
      ended = new WatchEnded(error === undefined ? "the watch ended" : inWords(error));
      this.#wake();
    };
    const stable = setTimeout(() => this.#hears(), STABLE_MS);
    try {
      this.#engine.watch(() => this.#ring(), signal).then(() => onEnd(), onEnd);
      for (;;) {
        while (!this.#isDirty) {
          if (ended !== null) throw ended;
          signal.throwIfAborted();
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        await pause(SETTLE_MS, signal);
        await this.#read(signal);
        this.#attempted();
        await pause(REST_MS, signal);
      }
    } finally {
      clearTimeout(stable);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    let reading: Reading;
    let count = 0;
    do {
      this.#isDirty = false;
      const deadline = AbortSignal.timeout(READ_MS);
      const hangs = Promise.withResolvers<never>();
      deadline.addEventListener("abort", () => hangs.reject(new Error("it does not answer")));
      reading = await Promise.race([this.#engine.read(AbortSignal.any([signal, deadline])), hangs.promise]);
      signal.throwIfAborted();
    } while (this.#isDirty && ++count < MAX_READINGS);
    this.#content.take(reading);
    const awayMs = this.#awaySince === null ? null : performance.now() - this.#awaySince;
    this.#lastSuccess = Date.now();
    this.#awaySince = null;
    this.#away = null;
    this.#publish();
    // At a start that did not have to do without it there is nothing to say.
    if (awayMs !== null && this.#isMissed) this.#options.onBack?.(this.name, Math.round(awayMs));
    this.#isMissed = false;
  }

  #isAway(error: unknown): void {
    this.#awaySince ??= performance.now();
    this.#away = inWords(error);
    this.#isMissed = true;
    this.#deaf = null;
    this.#content.broken();
    if (this.#content.offer === null) this.#content.recall();
    this.#publish();
  }

  #hearsNothing(why: string): void {
    this.#content.broken();
    if (++this.#watchesEnded < DEAF_AFTER) return;
    this.#deaf = why;
    this.#publish();
  }

  #hears(): void {
    this.#backOff.reset();
    this.#watchesEnded = 0;
    this.#deaf = null;
    this.#publish();
  }

  #ring(): void {
    this.#isDirty = true;
    this.#wake();
  }

  #attempted(): void {
    this.#attempt.resolve();
    this.#attempt = Promise.withResolvers();
  }

  #within(ms: number, promise: Promise<void>): Promise<void> {
    return Promise.race([promise, pause(ms, this.#closing.signal)]);
  }

  /** Tells who asked, where there is something else to be said than before. */
  #publish(): void {
    const former = this.#current;
    this.#current = this.#now();
    if (this.#isTold || isSame(former, this.#current)) return;
    this.#isTold = true;
    this.#changed();
  }

  #now(): Current {
    const { offer, isSound, isLoose } = this.#content;
    const diagnostics = new Diagnostics();
    const at = { file: this.#engine.place, line: 0, column: 0 };
    if (this.#away !== null)
      diagnostics.warn("provider-away", at, `cannot be read: ${this.#away}; ${this.#content.standing()}`);
    if (this.#deaf !== null)
      diagnostics.warn(
        "provider-deaf",
        at,
        `changes are not heard of: ${this.#deaf}; it is read again every ${BackOff.MOST_MS / 1000} s or so`,
      );
    diagnostics.take(this.#content.diagnostics);
    const fresh = this.#away === null && isSound;
    return { offer, fresh, diagnostics, remote: { isAway: !fresh, isLoose } };
  }
}

class WatchEnded extends Error {}

/** Compares what is said by its words: whether the same is said again. */
function isSame(a: Current, b: Current): boolean {
  return (
    a.offer === b.offer &&
    a.fresh === b.fresh &&
    a.diagnostics.list.length === b.diagnostics.list.length &&
    a.diagnostics.list.every(({ file, message }, index) => {
      const other = b.diagnostics.list[index]!;
      // Why it is away may change each time that it is tried.
      return other.file === file && (other.message === message || other.code === "provider-away");
    })
  );
}

function inWords(error: unknown): string {
  return error instanceof Error ? describeError(error) : String(error);
}
