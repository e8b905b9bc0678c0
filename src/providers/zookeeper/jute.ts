// ZooKeeper's encoding of what it sends: big-endian numbers, and bytes with their length in front.

/** Puts values one behind the other. */
export class JuteWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    this.#parts.push(bytes);
    return this;
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    this.#parts.push(bytes);
    return this;
  }

  bool(value: boolean): this {
    this.#parts.push(Buffer.from([value ? 1 : 0]));
    return this;
  }

  bytes(value: Buffer): this {
    this.int(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  raw(value: Buffer): this {
    this.#parts.push(value);
    return this;
  }

  /** What has been put, with its length in front. */
  packet(): Buffer {
    const body = Buffer.concat(this.#parts);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    return Buffer.concat([length, body]);
  }
}

/** Takes values one behind the other. @throws RangeError where the packet is shorter than what it says. */
export class JuteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  long(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  bool(): boolean {
    this.#at += 1;
    return this.#bytes.readInt8(this.#at - 1) !== 0;
  }

  /** A length of -1, which stands for nothing, gives no bytes. */
  bytes(): Buffer {
    const length = this.int();
    if (length <= 0) return Buffer.alloc(0);
    if (this.#at + length > this.#bytes.length) throw new RangeError("a value is longer than its packet");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.bytes().toString("utf8");
  }

  texts(): string[] {
    const count = this.int();
    // Each has a length of four bytes at least.
    if (count * 4 > this.#bytes.length) throw new RangeError("a list is longer than its packet");
    return Array.from({ length: Math.max(count, 0) }, () => this.text());
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }
}
