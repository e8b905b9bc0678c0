// An engine whose code is loaded when it is first asked: only who uses a store pays for its library.

import type { Engine, Reading } from "./engine.ts";

export class LazyEngine implements Engine {
  readonly name: string;
  readonly place: string;
  readonly #load: () => Promise<Engine>;
  #engine: Promise<Engine> | null = null;

  constructor(name: string, place: string, load: () => Promise<Engine>) {
    this.name = name;
    this.place = place;
    this.#load = load;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    return (await this.#loaded()).read(signal);
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    return (await this.#loaded()).watch(changed, signal);
  }

  async close(): Promise<void> {
    await (await this.#engine)?.close();
  }

  #loaded(): Promise<Engine> {
    this.#engine ??= this.#load();
    return this.#engine;
  }
}
