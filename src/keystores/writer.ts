// Writes the Java formats: big-endian numbers, strings and byte arrays with their length before them (java.io.DataOutput).

import { CannotWrite } from "./new-entry.ts";

/** What the 16 bits before a string can count. Bytes. */
const MAX_TEXT = 0xffff;

export class Writer {
  readonly #parts: Buffer[] = [];

  get content(): Buffer {
    return Buffer.concat(this.#parts);
  }

  raw(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  u8(value: number): this {
    return this.raw(Buffer.from([value]));
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  /** Milliseconds since the epoch. */
  date(time: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(time));
    return this.raw(bytes);
  }

  /** Bytes with a 32-bit length before them. */
  bytes(value: Buffer): this {
    return this.u32(value.length).raw(value);
  }

  /** A string in modified UTF-8. @throws CannotWrite when it is too long for the format. */
  text(value: string): this {
    const bytes = encodeText(value);
    if (bytes.length > MAX_TEXT) throw new CannotWrite(`an alias is longer than ${MAX_TEXT} bytes`);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return this.raw(length).raw(bytes);
  }

  /** A certificate in DER, as version 2 of JKS and BKS have it. */
  certificate(der: Buffer): this {
    return this.text("X.509").bytes(der);
  }
}

/** Modified UTF-8: each unit of UTF-16 by itself, and zero in two bytes. */
function encodeText(value: string): Buffer {
  const bytes: number[] = [];
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0 && unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Buffer.from(bytes);
}
