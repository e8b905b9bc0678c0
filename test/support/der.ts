// DER written by hand, for what no tool writes; and BER where stores have it.

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = evenHex(length);
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function evenHex(value: number): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts);
export const octets = (...parts: readonly Uint8Array[]): Buffer => der(0x04, ...parts);
/** [n] EXPLICIT */
export const tagged = (number: number, ...parts: readonly Uint8Array[]): Buffer => der(0xa0 | number, ...parts);
export const NULL = der(0x05);

/** A non-negative integer. */
export function integer(value: number): Buffer {
  const bytes = evenHex(value);
  return der(0x02, ...(bytes[0]! > 0x7f ? [Buffer.from([0])] : []), bytes);
}

/** An object identifier, from its content in hexadecimal. */
export const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));

/** An object identifier, from its numbers. */
export function dottedOid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes: number[] = [];
  for (const value of [first! * 40 + second!, ...rest]) {
    const digits = [value % 128];
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left % 128) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

/** A constructed element whose length only its end tells (X.690 8.1.3.6). */
export const indefinite = (tag: number, ...parts: Buffer[]) =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)]);

/** The content of an octet string in pieces, some of which are in pieces themselves (X.690 8.7.3). */
export function inPieces(tag: number, content: Buffer, size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const piece = octets(content.subarray(at, at + size));
    pieces.push(pieces.length % 3 === 2 ? indefinite(0x24, piece, octets()) : piece);
  }
  return indefinite(tag, ...pieces);
}
