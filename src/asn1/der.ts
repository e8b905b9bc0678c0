// Writing DER (X.690): what certificates and signing requests are made of.

/** One element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts);
export const octets = (...parts: readonly Uint8Array[]): Buffer => der(0x04, ...parts);
/** Whole bytes: no bit of the last one is unused. */
export const bits = (...parts: readonly Uint8Array[]): Buffer => der(0x03, Buffer.from([0]), ...parts);
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
/** [n] EXPLICIT */
export const tagged = (number: number, ...parts: readonly Uint8Array[]): Buffer => der(0xa0 | number, ...parts);
export const NULL = der(0x05);
export const TRUE = der(0x01, Buffer.from([0xff]));

/** A non-negative integer. */
export function integer(value: number): Buffer {
  const bytes = evenHex(value);
  return der(0x02, ...(bytes[0]! > 0x7f ? [Buffer.from([0])] : []), bytes);
}

/** An object identifier, from its numbers in dotted form. */
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

/** A moment, in seconds: with two digits of the year until 2049 (RFC 5280 4.1.2.5). */
export function time(at: number): Buffer {
  const text = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, ""); // YYYYMMDDhhmmssZ
  const year = Number(text.slice(0, 4));
  return year >= 1950 && year < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
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
