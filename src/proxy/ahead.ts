// What a client sends ahead of its broker: held until there is somebody to write it to, within the limits of the relay.

import type { RelayPool } from "../net/relay.ts";
import type { NativeSocket } from "../net/socket.ts";

/**
 * The part of the limit at which a client is paused. As long as it is read its leaving is seen, so it is read for long: one that is
 * paused could leave unseen, and a broker would get the CONNECT of a client that is gone.
 */
const PAUSE_SHARE = 0.5;

export class BytesAhead {
  readonly #pool: RelayPool;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #paused = false;

  constructor(pool: RelayPool) {
    this.#pool = pool;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** false: a limit on held bytes is reached, and the connection must be cut. */
  hold(chunk: Buffer, socket: NativeSocket): boolean {
    const pool = this.#pool;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    pool.held += chunk.length;
    if (this.#bytes > pool.heldPerConnection || pool.held > pool.heldPerWorker) {
      pool.cuts++;
      return false;
    }
    if (!this.#paused && this.#bytes > pool.heldPerConnection * PAUSE_SHARE) {
      this.#paused = true;
      socket.pause();
    }
    return true;
  }

  /** Everything, with `first` before it; nothing is held any more. A paused client stays paused. */
  take(first: Buffer): Buffer {
    const chunks = this.#chunks;
    this.release();
    return chunks.length === 0 ? first : Buffer.concat([first, ...chunks]);
  }

  /** Lets go of everything. */
  release(): void {
    this.#pool.held -= this.#bytes;
    this.#chunks = [];
    this.#bytes = 0;
  }
}
