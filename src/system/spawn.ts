// Starting Sluice's own program again in another role: worker or embedded broker.

import { readlinkSync } from "node:fs";
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
 * - Sources are read in one after the other: each of the threads that would share the work keeps what it needed for that (measured: 2 MB
 *   for each worker that runs from source; a compiled one has nothing to read).
 * - Without JavaScriptCore's last compiler tier: what we run per connection is short, and that tier kept on recompiling it (measured:
 *   6 % of a loaded worker's CPU after 15 s, against nothing gained).
 * - Threads for file and name operations: two of them may wait for log files on a file system that does not answer.
 * - Freed memory goes back to the system after a second instead of 10 ms: buffers of large messages are reused, not faulted in anew.
 */
const RUNTIME: Readonly<Record<string, string>> = {
  BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER: "1",
  BUN_JSC_useFTLJIT: "0",
  MIMALLOC_PURGE_DELAY: "1000",
  UV_THREADPOOL_SIZE: "8",
};

/**
 * What a child gets of the environment: what sets its runtime, time zone, name lookups and language. The rest is for the master, which
 * has passwords and tokens there.
 */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|TZ|TZDIR|LANG|LANGUAGE|LC_\w+|TMPDIR|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LOCALDOMAIN|RES_OPTIONS|HOSTALIASES|NSS_WRAPPER_\w+|LD_\w+|GLIBC_TUNABLES|MALLOC_\w+|BUN_JSC_\w+|BUN_RUNTIME_\w+|BUN_CONFIG_\w+|MIMALLOC_\w+|UV_THREADPOOL_SIZE|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/;

function childEnvironment(role: Role): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name)) as [string, string][];
  return { ...RUNTIME, ...Object.fromEntries(inherited), [ROLE_VARIABLE]: role };
}

/** Of the source. */
const ROOT = resolve(import.meta.dir, "../..");

/** On Linux this opens the file that the process runs from, whatever bears its name since; readlink tells the name. */
const OWN_FILE = "/proc/self/exe";

/**
 * What starts this program again. A compiled executable (npm run build:binary) is the program: it starts the file that it runs from,
 * also when an upgrade has replaced or removed that, because master and workers speak to each other and must be of one build.
 */
function ownProgram(): string[] {
  if (!Bun.isStandaloneExecutable) {
    // As in bin/sluice: the directory that it is started in does not configure its runtime.
    const flags = ["--no-env-file", "--config=/dev/null", `--tsconfig-override=${ROOT}/tsconfig.json`];
    return [process.execPath, ...flags, `${ROOT}/src/main.ts`];
  }
  try {
    // By its name while that is right: the name is what `ps` and `pgrep` show.
    if (readlinkSync(OWN_FILE) !== process.execPath) return [OWN_FILE];
  } catch {} // no /proc: another system
  return [process.execPath];
}

/** A program, and as what it shall know itself. */
export interface Program {
  readonly command: readonly string[];
  readonly name: string;
  /** Beside what this process has. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How bin/sluice tells by what name it was started. */
const PROGRAM_VARIABLE = "SLUICE_PROGRAM";

/** By what name it was started, as that was understood then: the working directory and PATH may be others later. */
const STARTED_AS = startedAs();
delete process.env[PROGRAM_VARIABLE];

function startedAs(): string {
  if (!Bun.isStandaloneExecutable) return process.env[PROGRAM_VARIABLE] ?? `${ROOT}/bin/sluice`;
  const typed = process.argv0;
  return typed.includes("/") ? resolve(typed) : (Bun.which(typed) ?? process.execPath);
}

/** What bears this program's name now: another version, where one has been put in its place. Links in its name are followed anew. */
export function programOnDisk(): Program {
  return { command: [STARTED_AS], name: STARTED_AS, environment: {} };
}

/** This program as it is, whatever bears its name now. */
export function sameProgram(): Program {
  const name = Bun.isStandaloneExecutable ? STARTED_AS : process.execPath;
  return { command: ownProgram(), name, environment: { [PROGRAM_VARIABLE]: STARTED_AS } };
}

/** The number of the first descriptor that a child is given. */
export const FIRST_INHERITED = 3;

/**
 * The child shares standard output and error; it ends by itself when the master goes. It has `descriptors`, in this order, from
 * FIRST_INHERITED on.
 */
export function spawnSelf(role: Role, events: ChildEvents, descriptors: readonly number[] = []): Subprocess {
  return Bun.spawn(ownProgram(), {
    argv0: process.execPath,
    env: childEnvironment(role),
    stdio: ["ignore", "inherit", "inherit", ...descriptors],
    serialization: "advanced",
    ipc: (message) => events.ipc(message),
    onExit: (_, code, signal) => events.onExit(code, signal === null ? null : String(signal)),
  });
}
