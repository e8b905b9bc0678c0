// Reads the Java formats: big-endian numbers, strings and byte arrays with their length before them (java.io.DataInput).

import { Malformed } from "../asn1/ber.ts";

export class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  /** What was read so far, and the bytes before `at`. */
  before(at: number, from = 0): Buffer {
    return this.#bytes.subarray(from, at);
  }

  /** @throws Malformed when fewer are left. */
  take(length: number): Buffer {
    if (length < 0 || length > this.left) throw new Malformed("it ends too early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  /** A date, whose value nobody needs. */
  skipDate(): void {
    this.take(8);
  }

  /** Bytes with a 32-bit length before them. */
  bytes(): Buffer {
    return this.take(this.u32());
  }

  /** A string in modified UTF-8, which for what people write as an alias is UTF-8. */
  text(): string {
    return this.take(this.take(2).readUInt16BE()).toString("utf8");
  }
}
