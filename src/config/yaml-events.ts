// The way of a YAML text that is right into nodes, fast and in little memory: the parser of js-yaml tells where everything is, and makes no
// values. What it does not take, and what nobody writes by hand, is left to yaml-careful.ts.

import {
  COLLECTION_STYLE,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import { MAX_NESTED, type Mistake, NESTED_TOO_DEEP, NO_ANCHOR } from "./yaml-mistakes.ts";
import { LIST, MAP, YamlText } from "./yaml-text.ts";

/** YAML 1.2's core schema. */
const NULL = /^(?:~|[Nn]ull|NULL)$/;

export type Parsed =
  | { readonly kind: "ok"; readonly text: YamlText }
  | { readonly kind: "wrong"; readonly mistakes: readonly Mistake[] }
  /** It has tags, directives, several documents or the like. */
  | { readonly kind: "unusual" }
  | Refused;

export interface Refused {
  readonly kind: "refused";
  /** js-yaml's. */
  readonly reason: string;
  readonly at: number;
}

export function parseFast(text: string): Parsed {
  // js-yaml says so too, and takes seconds to show what is around it.
  const zero = text.indexOf("\0");
  if (zero >= 0) return { kind: "refused", reason: "a character with the code 0 is in no text", at: zero };
  // Alone it ends a line for js-yaml, and for nobody else.
  if (/\r(?!\n)/.test(text)) return { kind: "unusual" };
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: MAX_NESTED });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const at = error.mark?.position ?? 0;
    if (error.reason.startsWith("nesting exceeded"))
      return { kind: "wrong", mistakes: [{ at, message: NESTED_TOO_DEEP }] };
    return { kind: "refused", reason: error.reason, at };
  }
  return build(text, events);
}

function build(source: string, events: readonly Event[]): Parsed {
  const text = new YamlText(source, events.length);
  const open: { readonly index: number; readonly isBlockList: boolean }[] = [];
  const mistakes: Mistake[] = [];
  /** Where the last node ends that is known to. */
  let last = 0;
  for (const [index, event] of events.entries()) {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        if (index > 0 || event.directives.length > 0) return { kind: "unusual" };
        break;
      case EVENT_ID.POP: {
        const closed = open.pop();
        if (closed !== undefined) text.end(closed.index);
        break;
      }
      case EVENT_ID.ALIAS:
        if (!text.addAlias(event.anchorStart - 1, source.slice(event.anchorStart, event.anchorEnd)))
          mistakes.push({ at: event.anchorStart - 1, message: NO_ANCHOR });
        last = event.anchorEnd;
        break;
      default: {
        if (event.tagStart >= 0) return { kind: "unusual" };
        const anchor = event.anchorStart < 0 ? null : source.slice(event.anchorStart, event.anchorEnd);
        if (anchor !== null) last = event.anchorEnd;
        if (event.type === EVENT_ID.SCALAR)
          last = addScalar(text, event, anchor, last, open.at(-1)?.isBlockList === true);
        else {
          const isFlow = event.style === COLLECTION_STYLE.FLOW;
          const kind = event.type === EVENT_ID.MAPPING ? MAP : LIST;
          open.push({ index: text.begin(kind, event.start, isFlow, anchor), isBlockList: kind === LIST && !isFlow });
          last = Math.max(last, event.start);
        }
      }
    }
  }
  return mistakes.length > 0 ? { kind: "wrong", mistakes } : { kind: "ok", text };
}

/** @returns where it ends. */
function addScalar(text: YamlText, event: ScalarEvent, anchor: string | null, last: number, isItem: boolean): number {
  const source = text.text;
  if (event.valueStart < 0) {
    // An entry of a list stands behind its dash.
    const at = isItem && anchor === null ? behindDash(source, last) : last;
    text.addScalar(at, at, "plain", null, anchor, true);
    return at;
  }
  const value = event.fast ? null : getScalarValue(source, event);
  switch (event.style) {
    case SCALAR_STYLE.PLAIN: {
      const isNull =
        event.valueEnd - event.valueStart <= 4 && NULL.test(source.slice(event.valueStart, event.valueEnd));
      text.addScalar(event.valueStart, event.valueEnd, "plain", value, anchor, isNull);
      return event.valueEnd;
    }
    case SCALAR_STYLE.SINGLE_QUOTED:
    case SCALAR_STYLE.DOUBLE_QUOTED:
      text.addScalar(event.valueStart - 1, event.valueEnd + 1, "quoted", value, anchor, false);
      return event.valueEnd + 1;
    default:
      text.addScalar(headerOf(source, event.valueStart, last), event.valueEnd, "block", value, anchor, false);
      return event.valueEnd;
  }
}

/** Where the | or > of a block of text stands whose first line begins at `start`, and the line of which is behind `after`. */
function headerOf(source: string, start: number, after: number): number {
  const lineEnd = source[start - 1] === "\n" ? start - 1 : start;
  const line = source.slice(Math.max(after, source.lastIndexOf("\n", lineEnd - 1) + 1), lineEnd);
  const found = /[|>][-+\d]*[ \t]*(?:#.*)?\r?$/.exec(line);
  return found === null ? start : lineEnd - line.length + found.index;
}

/** What stands behind the first dash from `from` on that is in no comment. */
function behindDash(source: string, from: number): number {
  const dash = /(?:[ \t\r\n]|#[^\n]*)*-/y;
  dash.lastIndex = from;
  return dash.test(source) ? dash.lastIndex : from;
}
