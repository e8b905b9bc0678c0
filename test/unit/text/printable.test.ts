// What comes from outside cannot hide anything in a log or on a terminal, nor end the line.
import { expect, test } from "bun:test";
import { printable } from "../../../src/text/printable.ts";

const RANGES: [from: number, to: number][] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x2029],
  [0x202a, 0x202e],
  [0x2060, 0x2064],
  [0x2066, 0x2069],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0001, 0xe007f],
];

test("what is invisible, ends a line or turns the direction of writing is written as JSON escapes it", () => {
  for (const [from, to] of RANGES)
    for (let code = from; code <= to; code++) {
      const character = String.fromCodePoint(code);
      if (code > 0xe0001 && code < 0xe0020) continue; // not assigned
      expect(printable(`a${character}b`)).toMatch(/^a(\\u[0-9a-f]{4}){1,2}b$/);
      expect(JSON.parse(`"${printable(character)}"`)).toBe(character);
    }
});

test("everything else stays as it is", () => {
  for (const text of ["plain text", "ümläut", "日本語", "שלום", "😀 \\ \" '", "a\u00a0b", "\ufffd"])
    expect(printable(text)).toBe(text);
});
