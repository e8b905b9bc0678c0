// A YAML text as a tree of nodes: what its aliases and merge keys stand for, and where each node stands.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { Diagnostics, Place } from "./diagnostics.ts";

const MAYBE_ALIAS = /(?:^|[\s:,[{])\*\S/;

export class YamlTree {
  readonly name: string;
  #root: Node | null;
  readonly #lines = new LineCounter();
  readonly #empty: boolean;
  /** What each alias stands for: the last anchor of its name before it. */
  readonly #aliases = new Map<Alias, Node>();
  readonly #merged = new Map<YAMLMap, readonly Pair[]>();
  readonly #indexed = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  /** Where nodes are from that the text does not hold. */
  readonly #placed = new WeakMap<Node, Place>();

  /** Syntax errors go to `diagnostics`; the tree is then null. */
  constructor(name: string, text: string, diagnostics: Diagnostics) {
    this.name = name;
    this.#empty = text === "";
    // Keys given twice are found where they are decoded: the library compares each with each, 16 s for 15 000 routers.
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
    for (const error of document.errors) {
      diagnostics.error("yaml-syntax", this.#placeAt(error.pos[0]), `YAML: ${inWords(error)}`);
    }
    const sound = (!MAYBE_ALIAS.test(text) || this.#findAnchors(document, diagnostics)) && document.errors.length === 0;
    this.#root = sound ? (document.contents as Node | null) : null;
  }

  get root(): Node | null {
    return this.#root;
  }

  protected set root(node: Node | null) {
    this.#root = node;
  }

  /** A walk through the whole tree takes a third of the time that parsing took, so it is left out where no alias can be. */
  #findAnchors(document: Document.Parsed, diagnostics: Diagnostics): boolean {
    const anchors = new Map<string, Node>();
    let sound = true;
    visit(document, {
      Node: (_, node) => {
        if (!isAlias(node)) {
          if (node.anchor !== undefined) anchors.set(node.anchor, node);
          return;
        }
        const target = anchors.get(node.source);
        if (target !== undefined) this.#aliases.set(node, target);
        else {
          diagnostics.error(
            "yaml-syntax",
            this.place(node),
            "YAML: a value that begins with * is an alias, and no anchor (&) of its name is before it: put a value that is none in quotes",
          );
          sound = false;
        }
      },
    });
    return sound;
  }

  /** The node itself, or what its alias stands for. */
  target(node: unknown): Node | null {
    if (node === null || node === undefined) return null;
    return isAlias(node) ? (this.#aliases.get(node) ?? null) : (node as Node);
  }

  /** The pairs of a mapping, with those that `<<` brings in; of two equal keys the mapping's own goes first, then the earlier one. */
  pairs(map: YAMLMap): readonly Pair[] {
    const known = this.#merged.get(map);
    if (known !== undefined) return known;
    if (!map.items.some(isMerge)) return map.items;
    this.#merged.set(map, []); // one that merges itself adds nothing
    const pairs = map.items.filter((pair) => !isMerge(pair));
    const taken = new Set(pairs.map(keyOf));
    for (const pair of map.items.filter(isMerge)) {
      const value = this.target(pair.value);
      for (const each of isSeq(value) ? value.items : [value]) {
        const from = this.target(each);
        if (!isMap(from)) continue;
        for (const added of this.pairs(from)) {
          if (taken.has(keyOf(added))) continue;
          taken.add(keyOf(added));
          pairs.push(added);
        }
      }
    }
    this.#merged.set(map, pairs);
    return pairs;
  }

  place(node: Node | null): Place {
    const placed = node === null ? undefined : this.#placed.get(node);
    return placed ?? this.#placeAt(node?.range?.[0] ?? 0);
  }

  /** Says where a node is from that the text does not hold. */
  protected putAt(node: Node, place: Place): void {
    this.#placed.set(node, place);
  }

  /** Forgets what was known of the pairs of a mapping: it has been changed. */
  protected changed(map: YAMLMap): void {
    this.#indexed.delete(map);
    this.#merged.delete(map);
  }

  /** The pair of a mapping whose key is `step`; of keys that differ in case the exact one is meant, else the first. */
  protected pairOf(map: YAMLMap, step: string | number): Pair | undefined {
    const index = this.#byKey(map);
    return index.get(String(step)) ?? index.get(String(step).toLowerCase());
  }

  /**
   * By name and, where no other has that name, by the name in lower case; of equal keys the first. Kept, because one mapping may hold
   * 100 000 routers and each may be asked for.
   */
  #byKey(map: YAMLMap): ReadonlyMap<string, Pair> {
    let index = this.#indexed.get(map);
    if (index === undefined) {
      const reversed = this.pairs(map).toReversed();
      index = new Map([
        ...reversed.map((pair): [string, Pair] => [keyOf(pair), pair]),
        ...reversed.map((pair): [string, Pair] => [nameOf(pair), pair]),
      ]);
      this.#indexed.set(map, index);
    }
    return index;
  }

  #placeAt(offset: number): Place {
    if (this.#empty) return { file: this.name, line: 0, column: 0 };
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.name, line, column: col };
  }
}

/** YAML's merge key, unless it is quoted. */
function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN";
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? textOf(pair.key) : "";
}

function keyOf(pair: Pair): string {
  return nameOf(pair).toLowerCase();
}

/** A scalar as it is written. */
export function textOf(scalar: { readonly source?: string; readonly value?: unknown }): string {
  return scalar.source ?? String(scalar.value);
}

/** The library's words where they help an operator, and ours where they speak to a programmer, or quote the file: that may be a secret. */
function inWords(error: YAMLError): string {
  const [message] = error.message.split("\n") as [string];
  switch (error.code) {
    case "MULTIPLE_DOCS":
      return "a second document begins here (---), and one file holds one";
    case "TAG_RESOLVE_FAILED":
    case "BAD_COLLECTION_TYPE":
      return "a value that begins with ! is a tag, and this one is unknown: put the value in quotes";
    case "BAD_SCALAR_START":
      return "a plain value cannot begin with this character: put the value in quotes";
    case "BAD_DQ_ESCAPE":
      return "the escape sequence is unknown: in double quotes write \\\\ for a backslash, or use single quotes";
    default:
      if (message.startsWith("Block scalar header"))
        return "a value that begins with | or > has its text on the lines below: put one of a single line in quotes";
      // What stands behind a colon is of the file.
      return message.replace(/(?<=\S): [\s\S]*$/, "");
  }
}
