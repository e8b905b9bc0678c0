// The providers that a configuration has.

import type { StaticConfig } from "../config/static.ts";
import { FileProvider } from "./file.ts";
import type { Provider } from "./provider.ts";

/** Those of the static configuration, not started. `once`: they are asked once, and look for no change. */
export function providersOf({ providers: { file } }: StaticConfig, once = false): Provider[] {
  if (file === undefined) return [];
  return [new FileProvider({ ...file, poll: file.poll ?? null }, once)];
}
