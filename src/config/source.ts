// One YAML file: its text, its syntax tree, and where in it a path such as tcp.routers.mqtt.rule stands.

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

export type Path = readonly (string | number)[];

const MAYBE_ALIAS = /(?:^|[\s:,[{])\*\S/;

export class SourceFile {
  readonly name: string;
  readonly root: Node | null;
  readonly #lines = new LineCounter();
  /** What each alias stands for: the last anchor of its name before it. */
  readonly #aliases = new Map<Alias, Node>();
  readonly #merged = new Map<YAMLMap, readonly Pair[]>();
  readonly #indexed = new Map<YAMLMap, ReadonlyMap<string, Pair>>();

  /** Syntax errors go to `diagnostics`; the tree is then null. */
  constructor(name: string, text: string, diagnostics: Diagnostics) {
    this.name = name;
    // Keys given twice are found where they are decoded: the library compares each with each, 16 s for 15 000 routers.
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
    for (const error of document.errors) {
      diagnostics.error(this.#placeAt(error.pos[0]), `YAML: ${inWords(error)}`);
    }
    const sound = (!MAYBE_ALIAS.test(text) || this.#findAnchors(document, diagnostics)) && document.errors.length === 0;
    this.root = sound ? (document.contents as Node | null) : null;
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
    return this.#placeAt(node?.range?.[0] ?? 0);
  }

  /** Where `path` stands, or the nearest part of it that does; keys are compared without case, as they are decoded. */
  locate(path: Path): Place {
    let node = this.target(this.root);
    let found: Node | null = node;
    for (const step of path) {
      let next: Node | null = null;
      if (isMap(node)) {
        const pair = this.#byKey(node).get(String(step).toLowerCase());
        if (pair) {
          found = pair.key as Node;
          next = this.target(pair.value);
        }
      } else if (isSeq(node)) {
        next = this.target(node.items[Number(step)]);
        if (next) found = next;
      }
      if (next === null) break;
      node = next;
    }
    return this.place(found);
  }

  /** Of equal keys the first. Kept, because one mapping may hold 100 000 routers and each may be asked for. */
  #byKey(map: YAMLMap): ReadonlyMap<string, Pair> {
    let index = this.#indexed.get(map);
    if (index === undefined) {
      index = new Map(
        this.pairs(map)
          .toReversed()
          .map((pair) => [keyOf(pair), pair]),
      );
      this.#indexed.set(map, index);
    }
    return index;
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.name, line, column: col };
  }
}

/** YAML's merge key, unless it is quoted. */
function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN";
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.source ?? pair.key.value).toLowerCase() : "";
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
