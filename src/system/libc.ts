// The few calls of the C library about sockets that the runtime does not offer: a listening socket that outlives the process which accepts
// on it, which only the master makes; and, where a crowd comes, one for workers (descriptor-door.ts). Contract tests:
// test/unit/system/listening-socket.test.ts.

import { dlopen, type Pointer, ptr, read } from "bun:ffi";
import { getSystemErrorName } from "node:util";

/** glibc, and musl. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** socket(2), bind(2), listen(2), setsockopt(2), getsockopt(2), getsockname(2), sendto(2), fcntl(2), close(2), waitpid(2), errno(3). */
const CALLS = {
  socket: { args: ["int", "int", "int"], returns: "int" },
  bind: { args: ["int", "ptr", "u32"], returns: "int" },
  listen: { args: ["int", "int"], returns: "int" },
  setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" },
  getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
  getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
  sendto: { args: ["int", "ptr", "u64", "int", "ptr", "u32"], returns: "i64" },
  waitpid: { args: ["int", "ptr", "int"], returns: "int" },
  fcntl: { args: ["int", "int", "int"], returns: "int" },
  close: { args: ["int"], returns: "int" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

type Calls = Parameters<typeof dlopen>[1];
type Loaded<T extends Calls> = ReturnType<typeof dlopen<T>>["symbols"];
type Libc = Loaded<typeof CALLS>;
let loaded: Libc | null = null;

/** The C library cannot be called in this process; the message is fit for an operator. */
export class NoLibraryError extends Error {}

/** @throws NoLibraryError */
export function libc(): Libc {
  loaded ??= load(CALLS);
  return loaded;
}

/** Some calls alone: each one takes memory. `libraries`: for tests. @throws NoLibraryError */
export function load<T extends Calls>(calls: T, libraries: readonly string[] = LIBRARIES): Loaded<T> {
  const problems: string[] = [];
  for (const library of libraries) {
    try {
      return dlopen(library, calls).symbols;
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new NoLibraryError(`the C library cannot be called: ${problems.join("; ")}`);
}

/**
 * The result of a call, which is below zero when it has failed.
 * @throws the system's error as the runtime's own calls do, with `code`, `errno` and `syscall`.
 */
export function checked(syscall: string, result: number): number {
  if (result >= 0) return result;
  const errno = read.i32(libc().__errno_location() as Pointer, 0);
  const code = getSystemErrorName(-errno);
  throw Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}

/** The address of bytes, good as long as the caller holds them. */
export function pointerTo(bytes: NodeJS.TypedArray): Pointer {
  return ptr(bytes);
}
