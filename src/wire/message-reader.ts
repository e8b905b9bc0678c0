// Reads numbers and parts with a length before them, of which the messages of TLS are made (RFC 8446 3).

/** The message breaks the rules of TLS; whoever reads it catches this. */
export class Unreadable extends Error {}

/** Takes bytes from the front of a part of a message. Its methods throw Unreadable where it is too short. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end);
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#end) throw new Unreadable();
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  uint(size: 1 | 2 | 3): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A part whose length stands before it in `size` bytes. */
  vector(size: 1 | 2 | 3): MessageReader {
    const part = this.take(this.uint(size));
    return new MessageReader(part, 0, part.length);
  }
}
