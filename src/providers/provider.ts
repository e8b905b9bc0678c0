// The contract of everything that dynamic configuration can come from. test/support/provider-suite.ts holds every provider to it.

import type { Diagnostics } from "../config/diagnostics.ts";
import type { DynamicFile } from "../config/dynamic.ts";

/** What a provider offers: decoded, each value with its place; of two equal names the first wins. */
export type Offer = readonly DynamicFile[];

export interface Current {
  /** The last one that could be read as a whole; null while there has been none. It is another object only when it was read anew. */
  readonly offer: Offer | null;
  /** Whether the last attempt gave it. After one that failed it is what an earlier one gave. */
  readonly fresh: boolean;
  /** What the last attempt found. */
  readonly diagnostics: Diagnostics;
  /** Of a provider whose routes are kept elsewhere. */
  readonly remote?: Remote;
}

/** What somebody else keeps holds up nobody, not even a start: without anything that could stand in there is just nothing of it. */
export interface Remote {
  /** It cannot be had now, or not be understood. What it offered last goes on, and no load waits for it. */
  readonly isAway: boolean;
  /** Its parts stand each for itself: one that cannot work holds up no other. */
  readonly isLoose: boolean;
}

/** How the way to what a provider reads is. */
export interface ProviderState {
  readonly isUp: boolean;
  /** When it was last read; Unix time in milliseconds, 0 for never. */
  readonly lastSuccess: number;
}

/**
 * A provider keeps its last good offer whatever happens to where it reads: that is not there any more, or cannot be understood, is
 * never the same as empty. It reads for itself alone, so another one's trouble is not its own.
 */
export interface Provider {
  /** What stands behind the @ in the names that it gives, in lower case. */
  readonly name: string;
  /**
   * Begins to look for changes; resolves when the first attempt to read is over, whatever came of it. `changed` is called when there
   * may be something else than `current` last said, and then not again until it is asked: a burst is one call.
   */
  start(changed: () => void): Promise<void>;
  /** What is known now. */
  current(): Current;
  /** Reads everything again, whether or not it seems to have changed; `changed` is not called for it. */
  refresh(): Promise<void>;
  /** Of one that can be away. */
  state?(): ProviderState;
  /** Ends everything that `start` began. */
  close(): Promise<void>;
}
