// What a worker tells the others, and what it hears of them.

import type { Tables } from "../admission/tables.ts";
import { Batch, type ClientAt, type LetIn, type Shares } from "../protocol/shares.ts";
import type { ServerState, ServerStates } from "../upstream/server-state.ts";
import type { StickyTable } from "../upstream/sticky.ts";
import { Takeovers } from "./takeovers.ts";

export class Sharing {
  readonly takeovers: Takeovers;
  readonly #states: ServerStates;
  readonly #keys: Tables;
  readonly #tell: ((shares: Shares) => void) | null;
  readonly #changed = new Set<ServerState>();
  #sticky: ClientAt[] = [];
  #letIn: LetIn[] = [];
  readonly #batch = new Batch(() => this.#flush());

  /** `worker` is this one's number; `tell` tells the master, and is null where there is no other worker. */
  constructor(worker: number, states: ServerStates, keys: Tables, tell: ((shares: Shares) => void) | null) {
    this.#states = states;
    this.#keys = keys;
    this.#tell = tell;
    this.takeovers = new Takeovers(worker, tell === null ? null : (letIn) => this.#note(this.#letIn, letIn));
    if (tell === null) return;
    keys.onChange = () => this.#batch.note();
    states.onOpen = (state) => {
      this.#changed.add(state);
      this.#batch.note();
    };
  }

  /** A client of a sticky service has come to a server. */
  came(at: ClientAt): void {
    if (this.#tell !== null) this.#note(this.#sticky, at);
  }

  /** What the master tells of the other workers. */
  put({ counts, sticky, letIn, keys }: Shares, tableOf: (service: string) => StickyTable | null): void {
    for (const [key, open] of counts) this.#states.of(key).elsewhere = open;
    for (const { service, client, address } of sticky) tableOf(service)?.put(client, address);
    this.takeovers.put(letIn);
    this.#keys.put(keys);
  }

  #note<T>(list: T[], each: T): void {
    list.push(each);
    this.#batch.note();
  }

  #flush(): void {
    const counts = [...this.#changed].map(({ key, open }) => [key, open] as const);
    const shares = { counts, sticky: this.#sticky, letIn: this.#letIn, keys: this.#keys.report() };
    this.#changed.clear();
    this.#sticky = [];
    this.#letIn = [];
    this.#tell?.(shares);
  }
}
