// The fields of a packet of MQTT, one after the other (3.1.1 1.5, 5 1.5).

import { textFault } from "./text.ts";

/** What is wrong with a packet. `detail` is for people: one of a fixed set of texts, with nothing in it of what was sent. */
export interface Fault {
  readonly fault: "malformed" | "protocol-error";
  readonly detail: string;
}

const NOTHING = Buffer.alloc(0);

/**
 * A position in a packet. The first fault is kept for good, and every read after it gives nothing (0, "", no bytes), so it is asked for
 * once at the end. The name of a field is part of what is said about its fault.
 */
export class Fields {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  fault: Fault | null = null;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  malformed(detail: string): void {
    this.fault ??= { fault: "malformed", detail };
  }

  protocolError(detail: string): void {
    this.fault ??= { fault: "protocol-error", detail };
  }

  /** Whether all is read. */
  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** Where the `size` bytes begin that are passed over, or -1. */
  #take(size: number, field: string): number {
    if (this.fault !== null) return -1;
    if (size > this.end - this.at) {
      this.malformed(`${field}: runs over its end (3.1.1 [MQTT-3.1.4-1], 5 4.13)`);
      return -1;
    }
    const start = this.at;
    this.at += size;
    return start;
  }

  u8(field: string): number {
    const start = this.#take(1, field);
    return start < 0 ? 0 : this.bytes[start]!;
  }

  u16(field: string): number {
    const start = this.#take(2, field);
    return start < 0 ? 0 : (this.bytes[start]! << 8) | this.bytes[start + 1]!;
  }

  u32(field: string): number {
    const high = this.u16(field);
    return high * 0x10000 + this.u16(field);
  }

  /** A variable byte integer in its shortest form (5 1.5.5). */
  varint(field: string): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8(field);
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (byte === 0 && shift > 0) this.malformed(`${field}: a length is not in its shortest form ([MQTT-1.5.5-1])`);
      return this.fault === null ? value : 0;
    }
    this.malformed(`${field}: a length has more than four bytes (5 1.5.5)`);
    return 0;
  }

  /** Passes over a string, or over binary data, and gives where its bytes begin; they end at `at`. */
  skipBinary(field: string): number {
    const start = this.#take(this.u16(field), field);
    return start < 0 ? this.at : start;
  }

  /** The same for a string, which is looked at. */
  skipText(field: string): number {
    const start = this.skipBinary(field);
    const wrong = textFault(this.bytes, start, this.at);
    if (wrong !== null) this.malformed(`${field}: ${wrong} (3.1.1 1.5.3, 5 1.5.4)`);
    return start;
  }

  text(field: string): string {
    const start = this.skipText(field);
    return this.fault === null ? this.bytes.toString("utf8", start, this.at) : "";
  }

  /** A view. */
  binary(field: string): Buffer {
    const start = this.skipBinary(field);
    return this.fault === null ? this.bytes.subarray(start, this.at) : NOTHING;
  }
}
