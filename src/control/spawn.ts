// Starting Sluice's own program again in another role: worker or embedded broker.

import { resolve } from "node:path";
import type { Subprocess } from "bun";

export type Role = "worker" | "broker";
export const ROLE_VARIABLE = "SLUICE_ROLE";

export interface ChildEvents {
  ipc(message: unknown): void;
  onExit(code: number | null, signal: string | null): void;
}

/** The child shares standard output and error; it ends by itself when the master goes. */
export function spawnSelf(role: Role, events: ChildEvents): Subprocess {
  return Bun.spawn([process.execPath, resolve(import.meta.dir, "../main.ts")], {
    env: { ...process.env, [ROLE_VARIABLE]: role },
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "advanced",
    ipc: (message) => events.ipc(message),
    onExit: (_, code, signal) => events.onExit(code, signal === null ? null : String(signal)),
  });
}
