// ASN.1 in BER, as far as key stores need it: a reader that is total. PKCS#12 is often DER, but BouncyCastle and Windows write
// indefinite lengths and octet strings in pieces (X.690 8.1.3.6, 8.7.3).

/** Deeper nesting than any key store has, which is 10; with the size of the file it bounds the work. */
const MAX_DEPTH = 16;
/** Elements within one, and pieces of an octet string: above the entries that a store may have, far below what would fill the memory. */
const MAX_CHILDREN = 20_000;
const CONSTRUCTED = 0x20;

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific and constructed, as in [0] EXPLICIT. */
  context: (number: number) => 0xa0 | number,
} as const;

/** Bytes that are not what they should be. Thrown and caught within the readers of stores. */
export class Malformed extends Error {}

/** One element: its tag with class and form as in the first byte, and where its content lies. */
export class Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Header and content. */
  readonly whole: Buffer;
  readonly #depth: number;

  constructor(tag: number, content: Buffer, whole: Buffer, depth: number) {
    this.tag = tag;
    this.content = content;
    this.whole = whole;
    this.#depth = depth;
  }

  /** What a constructed element holds. @throws Malformed */
  children(): Element[] {
    if ((this.tag & CONSTRUCTED) === 0) throw new Malformed("an element should be constructed");
    const found: Element[] = [];
    for (let at = 0; at < this.content.length; ) {
      if (found.length >= MAX_CHILDREN) throw new Malformed("an element has too many parts");
      const element = elementAt(this.content, at, this.#depth + 1);
      found.push(element);
      at += element.whole.length;
    }
    return found;
  }

  /** The bytes of an octet string, its pieces joined; also of one that is tagged implicitly. @throws Malformed */
  octets(): Buffer {
    if ((this.tag & CONSTRUCTED) === 0) return this.content;
    const pieces: Buffer[] = [];
    collectPieces(this.content, 0, this.content.length, this.#depth + 1, pieces);
    return Buffer.concat(pieces);
  }

  /** A small non-negative integer. @throws Malformed on others. */
  integer(): number {
    if (this.tag !== TAG.integer || this.content.length === 0) throw new Malformed("a number is missing");
    const hex = this.content.toString("hex");
    if (this.content[0]! > 0x7f || this.content.length > 6) throw new Malformed("a number is out of range");
    return Number.parseInt(hex, 16);
  }

  /** An object identifier in dotted form. @throws Malformed */
  oid(): string {
    if (this.tag !== TAG.oid || this.content.length === 0 || this.content.length > 64)
      throw new Malformed("an object identifier is missing");
    const parts: number[] = [];
    let value = 0;
    for (const byte of this.content) {
      value = value * 128 + (byte & 0x7f);
      if (value > 0xffff_ffff) throw new Malformed("an object identifier is out of range");
      if (byte & 0x80) continue;
      if (parts.length === 0) {
        const first = Math.min(2, Math.floor(value / 40));
        parts.push(first, value - first * 40);
      } else parts.push(value);
      value = 0;
    }
    return parts.join(".");
  }
}

/** The first element of `bytes`. @throws Malformed */
export function parse(bytes: Buffer): Element {
  return elementAt(bytes, 0, 0);
}

/** `element` if it has this tag. @throws Malformed */
export function expect(element: Element | undefined, tag: number, what: string): Element {
  if (element === undefined || element.tag !== tag) throw new Malformed(`${what} is missing`);
  return element;
}

function elementAt(bytes: Buffer, at: number, depth: number): Element {
  const { start, end } = bounds(bytes, at, depth);
  const after = end ?? endOfIndefinite(bytes, start, depth);
  const content = bytes.subarray(start, end ?? after - END_OF_CONTENTS);
  return new Element(bytes[at]!, content, bytes.subarray(at, after), depth);
}

/** Where the content begins and ends; null for an end that only the content itself tells. */
function bounds(bytes: Buffer, at: number, depth: number): { start: number; end: number | null } {
  if (depth > MAX_DEPTH) throw new Malformed("it is nested too deeply");
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new Malformed("it ends too early");
  // Tags above 30 take more bytes and do not occur here.
  if ((tag & 0x1f) === 0x1f) throw new Malformed("an element has an unknown form");
  let start = at + 2;
  if (first === 0x80) {
    if ((tag & CONSTRUCTED) === 0) throw new Malformed("a length is missing");
    return { start, end: null };
  }
  let length = first;
  if (first > 0x80) {
    const count = first & 0x7f;
    if (count > 4 || start + count > bytes.length) throw new Malformed("a length is out of range");
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  if (start + length > bytes.length) throw new Malformed("it ends too early");
  return { start, end: start + length };
}

/** Two zero bytes that stand where an element would. */
const END_OF_CONTENTS = 2;

function isEndOfContents(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0 && bytes[at + 1] === 0;
}

/** Pieces up to `end`, or to the end of contents; gives where it stopped. In one pass, as pieces may have pieces. */
function collectPieces(bytes: Buffer, start: number, end: number | null, depth: number, into: Buffer[]): number {
  let at = start;
  while (end === null ? !isEndOfContents(bytes, at) : at < end) {
    const piece = bounds(bytes, at, depth);
    const tag = bytes[at]!;
    if ((tag & ~CONSTRUCTED) !== TAG.octets || into.length >= MAX_CHILDREN) throw new Malformed("a piece is wrong");
    if ((tag & CONSTRUCTED) !== 0) at = collectPieces(bytes, piece.start, piece.end, depth + 1, into);
    else {
      into.push(bytes.subarray(piece.start, piece.end!));
      at = piece.end!;
    }
  }
  return end ?? at + END_OF_CONTENTS;
}

/** Only steps over what is inside, because outer elements do the same again: that must not cost an object for each. */
function endOfIndefinite(bytes: Buffer, start: number, depth: number): number {
  let at = start;
  while (!isEndOfContents(bytes, at)) {
    const inner = bounds(bytes, at, depth + 1);
    at = inner.end ?? endOfIndefinite(bytes, inner.start, depth + 1);
  }
  return at + END_OF_CONTENTS;
}
