// Listening: one entry point's port, shared with the other workers by SO_REUSEPORT.

import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

export interface Listener {
  readonly port: number;
  /** Stops accepting; accepted connections go on. */
  stop(): void;
}

/** The published types lack what the handlers of an upgraded socket are given. */
type BunListen = (options: object) => { port: number; stop(closeActive: boolean): void };

/** "" is every address: IPv6 with IPv4 mapped into it, or IPv4 alone where the kernel has no IPv6. */
const EVERY_ADDRESS = ["::", "0.0.0.0"];

/**
 * Listens with SO_REUSEPORT and hands every accepted socket to `accept`, which must set its owner.
 * @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND).
 */
export function listen(host: string, port: number, accept: (socket: NativeSocket) => void): Listener {
  return bind(host, port, true, accept);
}

/**
 * Proves a port free before the workers bind it: SO_REUSEPORT would let a second Sluice share it without any error.
 * @throws as `listen` does.
 */
export function proveFree(host: string, port: number): void {
  if (port !== 0) bind(host, port, false, (socket) => socket.terminate()).stop();
}

function bind(host: string, port: number, reusePort: boolean, accept: (socket: NativeSocket) => void): Listener {
  let failure: unknown;
  for (const hostname of host === "" ? EVERY_ADDRESS : [host]) {
    try {
      const listener = (Bun.listen as BunListen)({
        hostname,
        port,
        reusePort,
        allowHalfOpen: true,
        data: NOBODY,
        socket: { ...HANDLERS, open: accept },
      });
      return { port: listener.port, stop: () => listener.stop(false) };
    } catch (error) {
      failure = error;
      if (!["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(String((error as NodeJS.ErrnoException).code))) break;
    }
  }
  throw failure;
}
