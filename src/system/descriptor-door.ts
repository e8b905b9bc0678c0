// A door before a listening socket. The runtime accepts all who wait in one go, and has nothing to end that with. While the door is shut,
// /dev/null stands at the socket's number: accept fails, the runtime goes on with the others, and those who wait stay in the kernel's queue.
//
// dup3(2). epoll(7) watches the socket and not its number, so nothing of that changes (contract test: test/unit/net/listen.test.ts).

import { closeSync, openSync } from "node:fs";
import { load } from "./libc.ts";

const O_CLOEXEC = 0o2000000;
const CALLS = { dup3: { args: ["int", "int", "int"], returns: "int" } } as const;

let dup3: ((from: number, to: number, flags: number) => number) | null = null;

export class DescriptorDoor {
  readonly #fd: number;
  /** The socket and /dev/null under numbers of their own, from the first time the door is shut. */
  #held: { readonly socket: number; readonly nothing: number } | null = null;
  #isShut = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get isShut(): boolean {
    return this.#isShut;
  }

  /** False where it stays open: there is no descriptor left, or the C library cannot be called (then the master had no socket either). */
  shut(): boolean {
    try {
      dup3 ??= load(CALLS).dup3;
      this.#held ??= this.#hold();
      this.#isShut = replace(this.#held.nothing, this.#fd);
    } catch {
      return false;
    }
    return this.#isShut;
  }

  /** False where it is still shut, and is to be opened later: the system was at work with this number (EBUSY, EINTR). */
  open(): boolean {
    if (this.#isShut && this.#held !== null) this.#isShut = !replace(this.#held.socket, this.#fd);
    return !this.#isShut;
  }

  /** Lets go of the socket, whose number belongs to others. */
  release(): void {
    if (this.#held === null) return;
    for (const fd of Object.values(this.#held)) closeSync(fd);
    this.#held = null;
  }

  #hold(): { socket: number; nothing: number } {
    const nothing = openSync("/dev/null", "r");
    try {
      const socket = openSync("/dev/null", "r");
      if (replace(this.#fd, socket)) return { socket, nothing };
      closeSync(socket);
    } catch (error) {
      closeSync(nothing);
      throw error;
    }
    closeSync(nothing);
    throw new Error("the socket has no second number");
  }
}

/** What is behind one number stands behind another one too, in place of what was there. */
function replace(from: number, at: number): boolean {
  return dup3!(from, at, O_CLOEXEC) >= 0;
}
