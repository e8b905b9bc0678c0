// TCP keep-alive towards clients: one that has vanished without a word, with its network or its power, is noticed.
//
// The options are set on the listening socket, which hands them on to what it accepts (test/e2e/keep-alive.test.ts), so that they cost no
// system call per connection. Where that cannot be done, each connection has its keep-alive set, without the bound on what it owes.

import { dlopen, ptr } from "bun:ffi";
import type { NativeSocket } from "./socket.ts";

/** Linux, socket(7) and tcp(7). */
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

/** Half of the time a connection may be silent; in the other half it is asked so often. */
const PROBES = 3;
/** What can be told to the kernel, which counts in seconds up to 32767. */
const LEAST_MS = 2000;
const MOST_MS = 2 * 32_767_000;
/** glibc, and musl. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/**
 * Lets connections of a listener end when their client has been unreachable for `wantedMs`: it does not answer probes, or it has not
 * acknowledged what was sent, or taken anything of it, for that long.
 * @returns what is to be done with each connection that is accepted; null when nothing is.
 */
export function setClientKeepAlive(listenerFd: number, wantedMs: number): ((socket: NativeSocket) => void) | null {
  const ms = Math.min(Math.max(wantedMs, LEAST_MS), MOST_MS);
  const idleMs = ms / 2;
  const seconds = (value: number) => Math.max(1, Math.round(value / 1000));
  const options = [
    [SOL_SOCKET, SO_KEEPALIVE, 1],
    [IPPROTO_TCP, TCP_KEEPIDLE, seconds(idleMs)],
    [IPPROTO_TCP, TCP_KEEPINTVL, seconds((ms - idleMs) / PROBES)],
    [IPPROTO_TCP, TCP_KEEPCNT, PROBES],
    [IPPROTO_TCP, TCP_USER_TIMEOUT, ms],
  ] as const;
  const set = listenerFd >= 0 ? setsockopt() : null;
  const isInherited =
    set !== null && options.every(([level, name, value]) => set(listenerFd, level, name, value) === 0);
  return isInherited ? null : (socket) => socket.setKeepAlive(true, idleMs);
}

type SetSocketOption = (fd: number, level: number, name: number, value: number) => number;
let loaded: SetSocketOption | null | undefined;

/**
 * Loads what is needed for it. That takes milliseconds, and connections that come between `listen` and the setting of the options do not
 * inherit them: so it is done before.
 */
export function prepareClientKeepAlive(): void {
  setsockopt();
}

function setsockopt(): SetSocketOption | null {
  if (loaded === undefined) loaded = process.platform === "linux" ? loadSetsockopt() : null;
  return loaded;
}

function loadSetsockopt(): SetSocketOption | null {
  for (const library of LIBRARIES) {
    try {
      const { symbols } = dlopen(library, {
        setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" },
      });
      return (fd, level, name, value) => {
        const bytes = Int32Array.of(value);
        return symbols.setsockopt(fd, level, name, ptr(bytes), bytes.byteLength);
      };
    } catch {} // the other one, or none: not every system lets a program load what it likes
  }
  return null;
}
