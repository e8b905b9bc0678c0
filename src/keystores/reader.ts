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

  /** A string in modified UTF-8, with a 16-bit length before it. */
  text(): string {
    return decodeText(this.take(this.take(2).readUInt16BE()));
  }
}

/** Modified UTF-8: each unit of UTF-16 by itself. Bytes that are none, which other tools than Java write, are read as UTF-8. */
function decodeText(bytes: Buffer): string {
  const units: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!;
    const more = first < 0x80 ? 0 : first >> 5 === 0b110 ? 1 : first >> 4 === 0b1110 ? 2 : -1;
    if (more < 0) return bytes.toString("utf8");
    let unit = more === 0 ? first : first & (0x3f >> more);
    for (let i = 1; i <= more; i++) {
      const byte = bytes[at + i] ?? 0;
      if (byte >> 6 !== 0b10) return bytes.toString("utf8");
      unit = (unit << 6) | (byte & 0x3f);
    }
    units.push(unit);
    at += more + 1;
  }
  const text = Buffer.alloc(units.length * 2);
  for (const [i, unit] of units.entries()) text.writeUInt16LE(unit, i * 2);
  return text.toString("utf16le");
}
