// The contract of everything that dynamic configuration can come from.

import type { Diagnostics } from "../config/diagnostics.ts";
import type { DynamicFile } from "../config/dynamic.ts";

export interface Provider {
  /** What stands behind the @ in names of this provider's routers and services. */
  readonly name: string;
  /**
   * Reads everything anew, in the order in which the first of two equal names wins. null when anything of it cannot be read: a
   * reload is all or nothing.
   */
  read(diagnostics: Diagnostics): readonly DynamicFile[] | null;
  /**
   * Calls `changed` after every change to what the provider reads itself, to one of `paths`, or to any entry of `directories`. A later
   * call replaces them.
   */
  watch(paths: ReadonlySet<string>, directories: ReadonlySet<string>, changed: () => void): void;
  close(): Promise<void>;
}
