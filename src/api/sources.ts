// What the API is told by the master, and what it asks it to do.

import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import type { Diagnostic } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import type { WatchedState } from "../health/watch.ts";

/** The configuration that serves now. */
export interface InForce {
  /** Null before the first one. */
  readonly merged: Merged | null;
  readonly compiled: Compiled;
  /** What was said of it, and of what is refused beside it. */
  readonly diagnostics: readonly Diagnostic[];
  readonly version: number;
  readonly loadedAt: Date;
}

export interface ApiSources {
  readonly config: StaticConfig;
  readonly version: string;
  readonly startedAt: Date;
  inForce(): InForce;
  servers(): Iterable<WatchedState>;
}
