// Listening: accepts on a socket that the master holds and this worker has inherited.

import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

export interface Listener {
  /** Stops accepting; accepted connections go on, and so does the socket, which others hold. */
  stop(): void;
}

interface NativeListener {
  stop(closeActive: boolean): void;
}

/** The published types lack `fd`, and what the handlers of an upgraded socket are given. */
type BunListen = (options: object) => NativeListener;

/**
 * Accepts on a descriptor that listens already, and owns it from here on. Every accepted socket goes to `accept`, which must set its owner.
 * @throws the system's error where it is none.
 */
export function listen(fd: number, accept: (socket: NativeSocket) => void): Listener {
  const listener = (Bun.listen as unknown as BunListen)({
    fd,
    allowHalfOpen: true,
    data: NOBODY,
    socket: { ...HANDLERS, open: accept },
  });
  return { stop: () => listener.stop(false) };
}
