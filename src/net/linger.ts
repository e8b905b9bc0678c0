// Closes a socket whose peer still has a last word to read. A socket that is closed while bytes of the peer are unread, or before more of
// them come, is reset, and a reset takes the last word out of the peer's hands (RFC 1122 4.2.2.13). So it reads on for a moment.

import type { Deadlines, Timed } from "./deadlines.ts";
import { closeGracefully, type NativeSocket, type SocketOwner } from "./socket.ts";

/** How long a peer may take to close. Milliseconds. */
const LINGER_MS = 1000;
/** Sockets that may be waited for at a time: they have descriptors that no limit of connections counts. */
const MAX_LINGERING = 128;
/** What is read of one. */
const MAX_BYTES = 1 << 20;

export class Lingers {
  readonly #deadlines: Deadlines;
  #count = 0;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** Sockets that are waited for now. */
  get count(): number {
    return this.#count;
  }

  /** Sends FIN (or close_notify) behind what was written, and closes when the peer does, or soon. The socket belongs to it from now on. */
  close(socket: NativeSocket): void {
    if (this.#count >= MAX_LINGERING) {
      closeGracefully(socket);
      return;
    }
    this.#count++;
    const linger = new Linger(socket, this.#deadlines, () => this.#count--);
    socket.data = linger;
    this.#deadlines.set(linger, LINGER_MS);
    socket.shutdown();
    socket.resume();
  }
}

class Linger implements SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #socket: NativeSocket;
  readonly #deadlines: Deadlines;
  #onOver: (() => void) | null;
  #bytes = 0;

  constructor(socket: NativeSocket, deadlines: Deadlines, onOver: () => void) {
    this.#socket = socket;
    this.#deadlines = deadlines;
    this.#onOver = onOver;
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BYTES) this.#end();
  }

  onEnd(): void {
    this.#end();
  }

  onClose(): void {
    this.#over();
  }

  onDeadline(): void {
    this.#end();
  }

  onDrain(): void {}
  onHandshake(): void {}

  #end(): void {
    this.#over();
    this.#socket.end();
  }

  #over(): void {
    this.#deadlines.clear(this);
    this.#onOver?.();
    this.#onOver = null;
  }
}
