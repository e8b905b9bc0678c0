// Sluice's version, and the Bun that it was tested with.

import manifest from "../package.json" with { type: "json" };

/** Before the first line of Sluice was written: a clock that says an earlier time is wrong. Milliseconds since the epoch. */
export const CLOCK_FLOOR = Date.UTC(2026, 0, 1);
export const VERSION: string = manifest.version;
export const BUN_VERSION: string = manifest.dependencies.bun;
