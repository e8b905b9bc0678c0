// Listening: accepts on a socket that the master holds and this worker has inherited, some in each turn of the event loop.
//
// The runtime accepts in one turn whoever waits, and whoever comes meanwhile. When thousands come at once, that is a turn of a second, and the
// next ones read a thousand hellos each, while clients that are connected already wait. So a crowd stays in the kernel's queue, and its
// hellos come as its connections do: a few in a turn.

import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

/** How many are accepted in one turn: about a millisecond's work, and as much for their hellos. */
export const PER_TURN = 16;

export interface Listener {
  /** Stops accepting; accepted connections go on, and so does the socket, which others hold. */
  stop(): void;
}

/** What can be shut before those who wait at a listening socket. Both return false where it could not be done. */
export interface Door {
  shut(): boolean;
  open(): boolean;
  /** It is not needed any more. */
  release(): void;
}

interface NativeListener {
  stop(closeActive: boolean): void;
}

/** The published types lack `fd`, and what the handlers of an upgraded socket are given. */
type BunListen = (options: object) => NativeListener;

/**
 * Accepts on a descriptor that listens already, and owns it from here on. Every accepted socket goes to `accept`, which must set its owner.
 * @param door of this descriptor.
 * @throws the system's error where it is none.
 */
export function listen(fd: number, accept: (socket: NativeSocket) => void, door: Door): Listener {
  let accepted = 0;
  let isStopped = false;
  const nextTurn = (): void => {
    if (isStopped) return;
    const isCrowd = accepted >= PER_TURN;
    accepted = 0;
    if (!door.open()) setImmediate(nextTurn);
    else if (isCrowd) setImmediate(afterCrowd);
    else door.release();
  };
  /** Whoever still waited has come by now. Without a crowd the door needs no descriptors. */
  const afterCrowd = (): void => {
    if (!isStopped && accepted === 0) door.release();
  };
  const open = (socket: NativeSocket): void => {
    if (accepted++ === 0) setImmediate(nextTurn);
    if (accepted === PER_TURN) door.shut();
    accept(socket);
  };
  const listener = (Bun.listen as unknown as BunListen)({
    fd,
    allowHalfOpen: true,
    data: NOBODY,
    socket: { ...HANDLERS, open },
  });
  const stop = (): void => {
    isStopped = true;
    // The runtime forgets, and closes, what stands at its number: that must be the socket.
    if (!door.open()) return void setImmediate(stop);
    listener.stop(false);
    door.release();
  };
  return { stop: () => (isStopped ? undefined : stop()) };
}
