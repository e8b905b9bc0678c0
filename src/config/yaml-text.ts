// What is where in a YAML text, as numbers: a few bytes for each value. A text of 100 000 routers has a million of them, and a syntax tree
// of objects took a gigabyte.

import { YamlAlias, YamlList, YamlMap, type YamlNode, YamlScalar } from "./yaml-nodes.ts";

const SCALAR = 0;
export const MAP = 1;
export const LIST = 2;
const ALIAS = 3;
const KIND = 0b11;

const FLOW = 0b100;
const QUOTED = 0b1000;
const BLOCK = 0b1_0000;
const ANCHOR = 0b10_0000;
const NULL = 0b100_0000;

export type Style = "plain" | "quoted" | "block";

const STYLES: Readonly<Record<Style, number>> = { plain: 0, quoted: QUOTED, block: BLOCK };

export class YamlText {
  readonly text: string;
  /** Kind and flags of each node, in the order of the text; behind a key stands its value. */
  readonly #kinds: Uint8Array;
  readonly #starts: Int32Array;
  /** Of a scalar: where it ends. */
  readonly #ends: Int32Array;
  /** The first node behind what is in this one. */
  readonly #nexts: Int32Array;
  #count = 0;
  /** Scalars that are not written as they are meant: with escapes, or over several lines. */
  readonly #texts = new Map<number, string>();
  /** What each alias stands for: the last anchor of its name before it. */
  readonly #targets = new Map<number, number>();
  readonly #anchors = new Map<string, number>();

  /** `size` is how many nodes it has at most. */
  constructor(text: string, size: number) {
    this.text = text;
    this.#kinds = new Uint8Array(size);
    this.#starts = new Int32Array(size);
    this.#ends = new Int32Array(size);
    this.#nexts = new Int32Array(size);
  }

  get count(): number {
    return this.#count;
  }

  /**
   * A value from `start` to `end`, quotes included. `text` is what it means, null where that is what is written; `isNull`: it means
   * nothing at all.
   */
  addScalar(
    start: number,
    end: number,
    style: Style,
    text: string | null,
    anchor: string | null,
    isNull: boolean,
  ): void {
    if (text !== null) this.#texts.set(this.#count, text);
    this.#ends[this.#count] = end;
    const index = this.#add(SCALAR | STYLES[style] | (isNull ? NULL : 0), start, anchor);
    this.#nexts[index] = index + 1;
  }

  /** @returns what ends it. */
  begin(kind: typeof MAP | typeof LIST, start: number, isFlow: boolean, anchor: string | null): number {
    return this.#add(kind | (isFlow ? FLOW : 0), start, anchor);
  }

  end(index: number): void {
    this.#nexts[index] = this.#count;
  }

  /** @returns false when there is no such anchor. */
  addAlias(start: number, name: string): boolean {
    const index = this.#add(ALIAS, start, null);
    this.#nexts[index] = index + 1;
    const target = this.#anchors.get(name);
    if (target !== undefined) this.#targets.set(index, target);
    return target !== undefined;
  }

  #add(kind: number, start: number, anchor: string | null): number {
    const index = this.#count++;
    this.#kinds[index] = anchor === null ? kind : kind | ANCHOR;
    this.#starts[index] = start;
    if (anchor !== null) this.#anchors.set(anchor, index);
    return index;
  }

  startOf(index: number): number {
    return this.#starts[index]!;
  }

  /** The node that an alias stands for. */
  targetOf(alias: number): number {
    return this.#targets.get(alias)!;
  }

  /** The nodes in a collection. */
  childrenOf(index: number): YamlNode[] {
    const end = this.#nexts[index]!;
    const children: YamlNode[] = [];
    for (let child = index + 1; child < end; child = this.#nexts[child]!) children.push(this.node(child));
    return children;
  }

  node(index: number): YamlNode {
    const kind = this.#kinds[index]!;
    const hasAnchor = (kind & ANCHOR) !== 0;
    switch (kind & KIND) {
      case MAP:
        return new YamlMap(this, index, hasAnchor, (kind & FLOW) !== 0);
      case LIST:
        return new YamlList(this, index, hasAnchor);
      case ALIAS:
        return new YamlAlias(index);
      default: {
        const quotes = (kind & QUOTED) === 0 ? 0 : 1;
        const isPlain = (kind & (QUOTED | BLOCK)) === 0;
        const text =
          this.#texts.get(index) ?? this.text.slice(this.#starts[index]! + quotes, this.#ends[index]! - quotes);
        return new YamlScalar(text, (kind & NULL) !== 0, isPlain, index, hasAnchor);
      }
    }
  }

  get root(): YamlNode | null {
    return this.#count === 0 ? null : this.node(0);
  }
}
