// What workers tell each other of clients and servers, by way of the master, so that choices among servers and limits count the whole Sluice.

import type { KeyShares } from "../admission/tables.ts";

/** Between two messages to the same process, in milliseconds. The first one comes at once. */
export const SHARES_MS = 50;

/** A client came to a server. `client` is a digest of what it is known by. */
export interface ClientAt {
  readonly service: string;
  readonly client: string;
  /** The server's. */
  readonly address: string;
}

export interface Shares {
  /** Open connections by server: to the master those of the worker, from the master those of all others. Only what has changed. */
  readonly counts: readonly (readonly [key: string, open: number])[];
  /** Where clients of sticky services came, in the order of their coming. */
  readonly sticky: readonly ClientAt[];
  /** Clients of services with `takeover` that a server has let in. */
  readonly letIn: readonly LetIn[];
  /** What clients have of limits. */
  readonly keys: KeyShares;
}

export const NO_KEYS: KeyShares = { open: [], spent: [] };

export interface LetIn extends ClientAt {
  readonly worker: number;
  /** When (Unix time in milliseconds): messages of two workers overtake each other. */
  readonly at: number;
}

/** Gathers what comes, and tells it together: at once, but not more often than every SHARES_MS. */
export class Batch {
  readonly #flush: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isWaiting = false;

  /** `flush` tells all that has gathered. */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** Something has come. What comes in the same turn of the event loop goes with it. */
  note(): void {
    this.#isWaiting = true;
    if (this.#timer === null) this.#timer = setTimeout(() => this.#tell(), 0);
  }

  #tell(): void {
    this.#timer = null;
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#flush();
    this.#timer = setTimeout(() => this.#tell(), SHARES_MS);
  }
}
