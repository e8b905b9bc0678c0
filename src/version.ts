// Sluice's version, and the Bun that it was tested with.

import manifest from "../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
export const BUN_VERSION: string = manifest.dependencies.bun;
