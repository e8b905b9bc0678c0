// A YAML text as a tree of nodes: what its aliases and merge keys stand for, and where each node stands.

import type { Diagnostics, Place } from "./diagnostics.ts";
import { isAlias, isList, isMap, isScalar, type YamlMap, type YamlNode, type YamlPair } from "./yaml-nodes.ts";
import { parseYaml } from "./yaml-parse.ts";
import type { YamlText } from "./yaml-text.ts";

/** Pairs that all merge keys of a file bring in together: each could bring in all of the file. */
const MAX_MERGED = 1_000_000;

/** Keys of a mapping that are looked through faster than an index of them is made. */
const FEW = 30;

type ByKey = Map<string, YamlPair> | readonly YamlPair[];

export class YamlTree {
  readonly name: string;
  #root: YamlNode | null = null;
  readonly #source: string;
  #text: YamlText | null = null;
  /** Where lines begin; made when a place is asked for. */
  #lines: number[] | null = null;
  readonly #targets = new Map<number, YamlNode>();
  readonly #merged = new WeakMap<YamlMap, readonly YamlPair[]>();
  #mergedPairs = 0;
  /** Values have been put over what the text says: its nodes are not to be forgotten. */
  protected isChanged = false;
  readonly #indexed = new WeakMap<YamlMap, Map<string, YamlPair>>();
  /** Where nodes are from that the text does not hold. */
  readonly #placed = new WeakMap<YamlNode, Place>();

  /** Syntax errors go to `diagnostics`; the tree is then null. */
  constructor(name: string, source: string, diagnostics: Diagnostics) {
    this.name = name;
    this.#source = source;
    const parsed = parseYaml(source);
    switch (parsed.kind) {
      case "ok":
        this.#text = parsed.text;
        this.#root = parsed.text.root;
        break;
      case "wrong":
        for (const { at, message } of parsed.mistakes)
          diagnostics.error("yaml-syntax", this.#placeAt(at), `YAML: ${message}`);
        break;
      case "too-large":
        diagnostics.error("file-too-large", this.#placeAt(parsed.at), "the file holds more values than Sluice reads");
    }
  }

  get root(): YamlNode | null {
    return this.#root;
  }

  protected set root(node: YamlNode | null) {
    this.#root = node;
  }

  /** The node itself, or what its alias stands for. */
  target(node: YamlNode): YamlNode;
  target(node: YamlNode | null | undefined): YamlNode | null;
  target(node: YamlNode | null | undefined): YamlNode | null {
    if (node === null || node === undefined) return null;
    if (!isAlias(node)) return node;
    const at = this.#text!.targetOf(node.at);
    let target = this.#targets.get(at);
    if (target === undefined) this.#targets.set(at, (target = this.#text!.node(at)));
    return target;
  }

  /** Lets go of the nodes in a collection. */
  forget(node: YamlNode | null): void {
    if (!this.isChanged && (isMap(node) || isList(node))) node.forget();
  }

  /** Merge keys bring in more than is read of them. */
  get isCutShort(): boolean {
    return this.#mergedPairs > MAX_MERGED;
  }

  /** The pairs of a mapping, with those that `<<` brings in; of two equal keys the mapping's own goes first, then the earlier one. */
  pairs(map: YamlMap): readonly YamlPair[] {
    const known = this.#merged.get(map);
    if (known !== undefined) return known;
    if (!map.items.some(isMerge)) return map.items;
    this.#merged.set(map, []); // one that merges itself adds nothing
    const pairs = map.items.filter((pair) => !isMerge(pair));
    const taken = new Set(pairs.map(keyOf));
    for (const pair of map.items.filter(isMerge)) {
      const value = this.target(pair.value);
      for (const each of isList(value) ? value.items : [value]) {
        const from = this.target(each);
        if (!isMap(from)) continue;
        for (const added of this.pairs(from)) {
          if (++this.#mergedPairs > MAX_MERGED) return [];
          if (taken.has(keyOf(added))) continue;
          taken.add(keyOf(added));
          pairs.push(added);
        }
      }
    }
    this.#merged.set(map, pairs);
    return pairs;
  }

  place(node: YamlNode | null): Place {
    const placed = node === null ? undefined : this.#placed.get(node);
    return placed ?? this.#placeAt(node === null || node.at < 0 ? 0 : this.#text!.startOf(node.at));
  }

  /** Says where a node is from that the text does not hold. */
  protected putAt(node: YamlNode, place: Place): void {
    this.#placed.set(node, place);
  }

  /** Forgets what was known of the pairs of a mapping: it has been changed. */
  protected changed(map: YamlMap): void {
    this.#indexed.delete(map);
    this.#merged.delete(map);
  }

  /** The pair of a mapping whose key is `step`; of keys that differ in case the exact one is meant, else the first. */
  protected pairOf(map: YamlMap, step: string | number): YamlPair | undefined {
    const name = String(step);
    const key = name.toLowerCase();
    const index = this.#indexed.get(map) ?? this.#byKey(map);
    if (index instanceof Map) return index.get(name) ?? index.get(key);
    const named = (wanted: string) => index.find((pair) => nameOf(pair) === wanted);
    return named(name) ?? named(key) ?? index.find((pair) => keyOf(pair) === key);
  }

  /**
   * By name and, where no other has that name, by the name in lower case; of equal keys the first. Kept, because one mapping may hold
   * 100 000 routers and each may be asked for. Of a few pairs there is no index.
   */
  #byKey(map: YamlMap): ByKey {
    const pairs = this.pairs(map);
    if (pairs.length <= FEW) return pairs;
    const index = new Map<string, YamlPair>();
    for (const pair of pairs) if (!index.has(nameOf(pair))) index.set(nameOf(pair), pair);
    for (const pair of pairs) if (!index.has(keyOf(pair))) index.set(keyOf(pair), pair);
    this.#indexed.set(map, index);
    return index;
  }

  #placeAt(offset: number): Place {
    if (this.#source === "") return { file: this.name, line: 0, column: 0 };
    this.#lines ??= linesOf(this.#source);
    const line = lineAt(this.#lines, offset);
    return { file: this.name, line: line + 1, column: offset - this.#lines[line]! + 1 };
  }
}

function linesOf(text: string): number[] {
  const lines = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines.push(at + 1);
  return lines;
}

/** The last line that begins at `offset` or before it. */
function lineAt(lines: readonly number[], offset: number): number {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** YAML's merge key, unless it is quoted. */
function isMerge(pair: YamlPair): boolean {
  return isScalar(pair.key) && pair.key.isPlain && pair.key.text === "<<";
}

function nameOf(pair: YamlPair): string {
  return isScalar(pair.key) ? pair.key.text : "";
}

function keyOf(pair: YamlPair): string {
  return nameOf(pair).toLowerCase();
}
