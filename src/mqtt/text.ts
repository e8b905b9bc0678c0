// Strings of MQTT: UTF-8 of at most 65535 bytes, without NUL (3.1.1 1.5.3, 5 1.5.4) and without what both ask senders not to send.

import { isUtf8 } from "node:buffer";

/** Of a string or of binary data: its length has 16 bits. */
export const MAX_FIELD = 65535;

/** What is wrong with a string. */
export type TextFault = "is not UTF-8" | "has a NUL" | "has a control character" | "has a noncharacter";

/** null: nothing is wrong with the string that these bytes are. */
export function textFault(bytes: Uint8Array, start: number, end: number): TextFault | null {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return wideFault(bytes, start, end);
    if (byte < 0x20 || byte === 0x7f) return byte === 0 ? "has a NUL" : "has a control character";
  }
  return null;
}

/** Of a string that is not ASCII alone. Once it is known to be UTF-8, a character is known by its bytes. */
function wideFault(bytes: Uint8Array, start: number, end: number): TextFault | null {
  if (!isUtf8(bytes.subarray(start, end))) return "is not UTF-8";
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte === 0x7f) return byte === 0 ? "has a NUL" : "has a control character";
    if (byte === 0xc2 && bytes[at + 1]! <= 0x9f) return "has a control character";
    if (byte >= 0xef && isNoncharacter(bytes, at)) return "has a noncharacter";
  }
  return null;
}

/** U+FDD0 to U+FDEF, and the last two of each plane (Unicode 23.7). `at` is where the character begins, with EF or F0 to F4. */
function isNoncharacter(bytes: Uint8Array, at: number): boolean {
  const [first, second, third, fourth] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  if (first > 0xef) return (second & 0x0f) === 0x0f && third === 0xbf && fourth >= 0xbe;
  return second === 0xb7 ? third >= 0x90 && third <= 0xaf : second === 0xbf && third >= 0xbe;
}

/** The bytes of a string as it is sent, without its length; null: `textFault` does not take it, or it is too long to be one. */
export function encodeText(text: string): Buffer | null {
  if (text.length > MAX_FIELD || !text.isWellFormed()) return null;
  const bytes = Buffer.from(text);
  return bytes.length <= MAX_FIELD && textFault(bytes, 0, bytes.length) === null ? bytes : null;
}

/** Whether `text` may be sent as a string of MQTT. */
export function isMqttText(text: string): boolean {
  return encodeText(text) !== null;
}
