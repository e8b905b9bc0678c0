// The providers that a configuration has.

import type { StaticConfig } from "../config/static.ts";
import { FileProvider } from "./file.ts";
import type { Provider } from "./provider.ts";

/** Those of the static configuration, not started. `watch: false`: they are asked once, and look for no change. */
export function providersOf({ providers }: StaticConfig, { watch }: { watch: boolean } = { watch: true }): Provider[] {
  return providers.file === undefined
    ? []
    : [new FileProvider({ ...providers.file, watch: watch && providers.file.watch })];
}
