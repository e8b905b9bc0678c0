// One YAML file: its text, its syntax tree, and where in it a path such as tcp.routers.mqtt.rule stands. Values from elsewhere (the
// environment, flags) can be put over what the file says; they keep their own place.

import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Pair,
  parseDocument,
  Scalar,
  visit,
  type YAMLError,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import type { Diagnostics, Place } from "./diagnostics.ts";
import { parseBool } from "./scalars.ts";

export type Path = readonly (string | number)[];

const MAYBE_ALIAS = /(?:^|[\s:,[{])\*\S/;

export class SourceFile {
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
  /** Collections that a copy has in common with what it was copied from. Those with an anchor are shared too. */
  readonly #shared = new WeakSet<Node>();
  /** Single values that stand for a mapping, with the key that they have in it. */
  readonly #short = new WeakMap<Node, string>();

  /** Syntax errors go to `diagnostics`; the tree is then null. */
  constructor(name: string, text: string, diagnostics: Diagnostics) {
    this.name = name;
    this.#empty = text === "";
    // Keys given twice are found where they are decoded: the library compares each with each, 16 s for 15 000 routers.
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
    for (const error of document.errors) {
      diagnostics.error(this.#placeAt(error.pos[0]), `YAML: ${inWords(error)}`);
    }
    const sound = (!MAYBE_ALIAS.test(text) || this.#findAnchors(document, diagnostics)) && document.errors.length === 0;
    this.#root = sound ? (document.contents as Node | null) : null;
  }

  get root(): Node | null {
    return this.#root;
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
            this.place(node),
            `YAML: the alias *${node.source} stands for nothing: no &${node.source} is before it`,
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

  /** Where `path` stands, or the nearest part of it that does. Of keys that differ in case the exact one is meant, else the first. */
  locate(path: Path): Place {
    return this.place(this.#walk(path).nearest);
  }

  /** Where `path` stands, or null when nothing is there. */
  find(path: Path): Place | null {
    const { nearest, node } = this.#walk(path);
    return node === null ? null : this.place(nearest);
  }

  /** The names in the mapping at `path`, as they are written. */
  namesAt(path: Path): string[] {
    const { node } = this.#walk(path);
    return isMap(node) ? this.pairs(node).flatMap(({ key }) => (isScalar(key) ? [textOf(key)] : [])) : [];
  }

  /** How many entries the list at `path` has. */
  lengthAt(path: Path): number {
    const { node } = this.#walk(path);
    return isSeq(node) ? node.items.length : 0;
  }

  isMapping(path: Path): boolean {
    return isMap(this.#walk(path).node);
  }

  /** Says that a single value at `path` stands for a mapping with this one key. */
  standsFor(path: Path, key: string): void {
    const { node } = this.#walk(path);
    if (isScalar(node) && node.value !== null) this.#short.set(node, key);
  }

  /** The value at `path`, null where there is none; and the last node on the way, a key where it is one. */
  #walk(path: Path): { node: Node | null; nearest: Node | null } {
    let node = this.target(this.root);
    let nearest: Node | null = node;
    for (const step of path) {
      let next: Node | null = null;
      if (isMap(node)) {
        const pair = this.#pairOf(node, step);
        if (pair) {
          nearest = pair.key as Node;
          next = this.target(pair.value);
        }
      } else if (isSeq(node)) {
        next = this.target(node.items[Number(step)]);
        if (next) nearest = next;
      } else if (node !== null && this.#short.get(node) === step) {
        next = node;
        nearest = node;
      }
      if (next === null) return { node: null, nearest };
      node = next;
    }
    return { node, nearest };
  }

  /**
   * Puts a value where `path` says, over what is there; `place` is where it is from. What an alias or a merge key brings in is not
   * changed where else it is used. A number in the path is an index of a list, at most its length. Where the path leads through
   * something that is neither a collection nor a switch, that stays as it is, for the decoder to tell of.
   */
  set(path: Path, text: string, place: Place): void {
    const value = new Scalar(text);
    value.source = text;
    this.#placed.set(value, place);
    if (this.#root === null || (isScalar(this.#root) && this.#root.value === null))
      this.#root = this.#make(path[0], { file: this.name, line: 0, column: 0 });
    else if (this.#root.anchor !== undefined && isCollection(this.#root)) this.#root = this.#copy(this.#root);
    let node = this.#root;
    for (const [index, step] of path.slice(0, -1).entries()) node = this.#own(node, step, path[index + 1]!, place);
    this.#put(node, path.at(-1)!, value, place);
  }

  /** What stands under `step`, made a collection that `next` is a step of, and this node's alone. */
  #own(node: Node, step: string | number, next: string | number, place: Place): Node {
    const pair = isMap(node) ? this.#pairOf(node, step) : undefined;
    const written = isSeq(node) ? node.items[Number(step)] : pair?.value;
    const child = this.target(written);
    if (typeof next === "number" ? !isSeq(child) : !isMap(child)) {
      const made = this.#make(next, place);
      const key = child === null ? undefined : this.#short.get(child);
      if (key !== undefined) {
        this.#placed.set(made, this.place(child));
        this.#put(made, key, child!, this.place(child));
      }
      if (key !== undefined || isNothing(child)) this.#put(node, step, made, place);
      return made;
    }
    const own =
      written === child &&
      child!.anchor === undefined &&
      !this.#shared.has(child!) &&
      (pair === undefined || (node as YAMLMap).items.includes(pair));
    if (own) return child!;
    const copy = this.#copy(child as YAMLMap | YAMLSeq);
    this.#put(node, step, copy, this.place(pair === undefined ? child : (pair.key as Node)));
    return copy;
  }

  #copy(from: YAMLMap | YAMLSeq): Node {
    const copy = isMap(from) ? new YAMLMap() : new YAMLSeq();
    copy.items = [...from.items] as Pair[];
    for (const item of from.items) {
      const child = this.target(isPair(item) ? item.value : item);
      if (child !== null) this.#shared.add(child);
    }
    this.#placed.set(copy, this.place(from));
    return copy;
  }

  #make(step: string | number | undefined, place: Place): Node {
    const made = typeof step === "number" ? new YAMLSeq() : new YAMLMap();
    this.#placed.set(made, place);
    return made;
  }

  #put(node: Node, step: string | number, value: Node, place: Place): void {
    if (isSeq(node)) node.items[Number(step)] = value;
    if (!isMap(node)) return;
    const key = new Scalar(String(step));
    this.#placed.set(key, place);
    const former = this.#pairOf(node, step);
    const at = former === undefined ? -1 : node.items.indexOf(former);
    node.items.splice(at < 0 ? node.items.length : at, at < 0 ? 0 : 1, new Pair(key, value));
    this.#indexed.delete(node);
    this.#merged.delete(node);
  }

  #pairOf(map: YAMLMap, step: string | number): Pair | undefined {
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

/** Nothing, or a section that is only switched on or off. */
function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && (node.value === null || parseBool(textOf(node)) !== null));
}

/** A scalar as it is written. */
export function textOf(scalar: { readonly source?: string; readonly value?: unknown }): string {
  return scalar.source ?? String(scalar.value);
}

/** The library's words where they help an operator, and ours where they speak to a programmer. */
function inWords(error: YAMLError): string {
  if (error.code === "MULTIPLE_DOCS") return "a second document begins here (---), and one file holds one";
  return error.message.split("\n")[0]!;
}

/**
 * The YAML of a configuration file; null after a syntax error, or when the file is in a language that Traefik reads and Sluice does
 * not.
 */
export function readSource(file: string, text: string, diagnostics: Diagnostics): SourceFile | null {
  if (file.toLowerCase().endsWith(".toml")) {
    diagnostics.error(
      { file, line: 0, column: 0 },
      "TOML is not read by Sluice: write the same keys as YAML, in a .yml file",
    );
    return null;
  }
  const template = findTemplate(text);
  if (template !== null) {
    diagnostics.error({ file, ...template }, "Go templates ({{ ... }}) are not run by Sluice: write the values out");
    return null;
  }
  const before = diagnostics.errors;
  const source = new SourceFile(file, text, diagnostics);
  return diagnostics.errors > before ? null : source;
}

/** Where the first `{{` stands outside a comment. Traefik would run it, and `{{` opens nothing useful in YAML. */
function findTemplate(text: string): { line: number; column: number } | null {
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const column = line.replace(/(^|\s)#.*$/, "").indexOf("{{");
    if (column >= 0) return { line: index + 1, column: column + 1 };
  }
  return null;
}
