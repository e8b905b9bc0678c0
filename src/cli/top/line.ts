// Lines of a screen before they are written: pieces of text with a style. Whatever comes from outside becomes printable here, so that no
// client's name can move the cursor.

import { printable } from "../../text/printable.ts";

/** What a style says is said by a glyph or a word too: a terminal may have no colours, and its reader may not see them. */
export type Style = "plain" | "bold" | "dim" | "good" | "warn" | "bad" | "chosen";

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Stands where a text was cut. ASCII, as all that carries meaning is. */
const CUT = "~";

export function span(text: string, style: Style = "plain"): Span {
  return { text: printable(text), style };
}

export function line(text: string, style: Style = "plain"): Line {
  return [span(text, style)];
}

/** At most `width` columns of it. */
export function cut(text: string, width: number): string {
  if (width <= 0) return "";
  if (Bun.stringWidth(text) <= width) return text;
  let [kept, used] = ["", 0];
  for (const character of text) {
    const wide = Bun.stringWidth(character);
    if (used + wide > width - 1) break;
    kept += character;
    used += wide;
  }
  return kept + CUT;
}

/** Exactly `width` columns. */
export function cell(text: string, width: number, side: "left" | "right" = "left"): string {
  const kept = cut(printable(text), width);
  const room = " ".repeat(Math.max(0, width - Bun.stringWidth(kept)));
  return side === "left" ? kept + room : room + kept;
}

/** The line in `width` columns, cut or filled up. */
export function fitted(spans: Line, width: number): Line {
  const result: Span[] = [];
  let left = width;
  for (const { text, style } of spans) {
    if (left <= 0) break;
    const kept = cut(text, left);
    result.push({ text: kept, style });
    left -= Bun.stringWidth(kept);
  }
  if (left > 0) result.push({ text: " ".repeat(left), style: spans.at(-1)?.style === "chosen" ? "chosen" : "plain" });
  return result;
}

/** One text at the left, one at the right; where both do not fit, the left one is cut. */
export function sides(left: Line, right: Line, width: number): Line {
  const taken = right.reduce((sum, { text }) => sum + Bun.stringWidth(text), 0);
  if (taken >= width) return fitted(right, width);
  // A gap between them, also where the left one is cut.
  return [...fitted(left, width - taken - 2), ...fitted([], Math.min(2, width - taken)), ...right];
}

export function plain(spans: Line): string {
  return spans
    .map(({ text }) => text)
    .join("")
    .trimEnd();
}

const CODES: Readonly<Record<Style, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  good: "32",
  warn: "33",
  bad: "1;31",
  chosen: "7",
};
/** Without colours. */
const MONO: Readonly<Record<Style, string>> = { ...CODES, good: "", warn: "", bad: "1" };

/** As a terminal takes it. */
export function painted(spans: Line, hasColours: boolean): string {
  const codes = hasColours ? CODES : MONO;
  return spans.map(({ text, style }) => (codes[style] === "" ? text : `\x1b[${codes[style]}m${text}\x1b[0m`)).join("");
}
