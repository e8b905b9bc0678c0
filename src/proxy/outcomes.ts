// How connections to servers went, gathered for the master: a crowd that fails is one message and not one for each client.

import type { ServerOutcome } from "../protocol/messages.ts";

/** Between two messages, in milliseconds. The first comes at once. */
export const OUTCOMES_MS = 50;

export class Outcomes {
  readonly #tell: (outcomes: readonly ServerOutcome[]) => void;
  /** By key, then by outcome. Both are bounded: servers by the configuration, outcomes by their set. */
  readonly #counts = new Map<string, Map<ServerOutcome["outcome"], number>>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(tell: (outcomes: readonly ServerOutcome[]) => void) {
    this.#tell = tell;
  }

  add(key: string, outcome: ServerOutcome["outcome"]): void {
    let counts = this.#counts.get(key);
    if (counts === undefined) this.#counts.set(key, (counts = new Map()));
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    if (this.#timer === null) this.#flush();
  }

  #flush(): void {
    this.#timer = null;
    if (this.#counts.size === 0) return;
    const outcomes: ServerOutcome[] = [];
    for (const [key, counts] of this.#counts)
      for (const [outcome, count] of counts) outcomes.push({ key, outcome, count });
    this.#counts.clear();
    this.#tell(outcomes);
    this.#timer = setTimeout(() => this.#flush(), OUTCOMES_MS);
  }
}
