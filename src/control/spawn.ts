// Starting Sluice's own program again in another role: worker or embedded broker.

import { resolve } from "node:path";
import type { Subprocess } from "bun";

export type Role = "worker" | "broker";
export const ROLE_VARIABLE = "SLUICE_ROLE";

export interface ChildEvents {
  ipc(message: unknown): void;
  onExit(code: number | null, signal: string | null): void;
}

/**
 * How a worker's runtime is set, unless the environment says otherwise.
 * - Without JavaScriptCore's last compiler tier: what we run per connection is short, and that tier kept on recompiling it (measured:
 *   6 % of a loaded worker's CPU after 15 s, against nothing gained).
 * - Freed memory goes back to the system after a second instead of 10 ms: buffers of large messages are reused, not faulted in anew.
 */
const RUNTIME: Readonly<Record<string, string>> = { BUN_JSC_useFTLJIT: "0", MIMALLOC_PURGE_DELAY: "1000" };

/** The child shares standard output and error; it ends by itself when the master goes. */
export function spawnSelf(role: Role, events: ChildEvents): Subprocess {
  return Bun.spawn([process.execPath, resolve(import.meta.dir, "../main.ts")], {
    env: { ...RUNTIME, ...process.env, [ROLE_VARIABLE]: role },
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "advanced",
    ipc: (message) => events.ipc(message),
    onExit: (_, code, signal) => events.onExit(code, signal === null ? null : String(signal)),
  });
}
