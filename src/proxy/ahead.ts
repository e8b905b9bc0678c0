// What a client sends ahead of its broker: held until there is somebody to write it to, within the limits of the relay.

import type { Holder, RelayPool } from "../net/relay.ts";
import type { NativeSocket } from "../net/socket.ts";

/**
 * The part of the limit at which a client is paused. As long as it is read its leaving is seen, so it is read for long: one that is
 * paused could leave unseen, and a broker would get the CONNECT of a client that is gone. But one read of the system's is 512 KiB, and a
 * record of TLS may have waited for its end: with the default limit of 1 MiB, who sends as fast as he can is paused and never cut.
 */
export const PAUSE_SHARE = 0.4;
/**
 * A chunk below this is joined with a smaller or equal one before it. What is limited is the sum of their bytes, and each chunk costs some
 * 200 more: a client that sends byte by byte would otherwise hold a hundred times what it is counted for.
 */
const SMALL = 4096;
const NOTHING = Buffer.alloc(0);

export class BytesAhead implements Holder {
  heldBytes = 0;
  readonly #pool: RelayPool;
  readonly #connection: { finish(reason: "held-limit"): void };
  #chunks: Buffer[] = [];
  #paused = false;

  /** `connection` is the one to end when a limit on held bytes is reached. */
  constructor(pool: RelayPool, connection: { finish(reason: "held-limit"): void }) {
    this.#pool = pool;
    this.#connection = connection;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Over a limit somebody is cut within this call: this one, or whoever holds most. */
  hold(chunk: Buffer, socket: NativeSocket): void {
    const pool = this.#pool;
    this.#add(chunk);
    this.heldBytes += chunk.length;
    pool.hold(this, chunk.length);
    if (!this.#paused && this.heldBytes > pool.heldPerConnection * PAUSE_SHARE) {
      this.#paused = true;
      socket.pause();
    }
  }

  /** So each byte is copied a few times at most, and of n bytes there are never more chunks than n / SMALL and the root of 2n. */
  #add(chunk: Buffer): void {
    const chunks = this.#chunks;
    let last = chunk;
    while (last.length < SMALL && chunks.length > 0 && chunks.at(-1)!.length <= last.length)
      last = Buffer.concat([chunks.pop()!, last]);
    chunks.push(last);
  }

  cut(): void {
    this.release();
    this.#connection.finish("held-limit");
  }

  /** Everything as one piece; it stays held. */
  whole(): Buffer {
    const chunks = this.#chunks;
    if (chunks.length > 1) this.#chunks = [Buffer.concat(chunks)];
    return this.#chunks[0] ?? NOTHING;
  }

  /** Puts `bytes` in the place of the first `length` ones. */
  replace(length: number, bytes: Buffer): void {
    const whole = this.whole();
    this.#chunks = [whole.length === length ? bytes : Buffer.concat([bytes, whole.subarray(length)])];
    const more = bytes.length - length;
    this.heldBytes += more;
    if (more > 0) this.#pool.hold(this, more);
    else this.#pool.release(this, -more, false);
  }

  /** Everything, with `first` before it; nothing is held any more. A paused client stays paused. */
  take(first: Buffer): Buffer {
    const chunks = this.#chunks;
    this.release();
    return chunks.length === 0 ? first : Buffer.concat([first, ...chunks]);
  }

  /** Lets go of everything. */
  release(): void {
    this.#pool.release(this, this.heldBytes, true);
    this.#chunks = [];
    this.heldBytes = 0;
  }
}
