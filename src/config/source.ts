// One YAML file: its text, its syntax tree, and where in it a path such as tcp.routers.mqtt.rule stands.

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Diagnostics, Place } from "./diagnostics.ts";

export type Path = readonly (string | number)[];

export class SourceFile {
  readonly name: string;
  readonly root: Node | null;
  readonly #lines = new LineCounter();
  readonly #resolve: (node: Node) => Node | undefined;

  /** Syntax errors go to `diagnostics`; the tree is then null. */
  constructor(name: string, text: string, diagnostics: Diagnostics) {
    this.name = name;
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      merge: true,
      prettyErrors: false,
      uniqueKeys: true,
    });
    this.#resolve = (node) => (isAlias(node) ? (node.resolve(document) as Node | undefined) : node);
    for (const error of document.errors) {
      diagnostics.error(this.#placeAt(error.pos[0]), `YAML: ${error.message.split("\n")[0]}`);
    }
    this.root = document.errors.length > 0 ? null : (document.contents as Node | null);
  }

  /** The node itself, or what its alias stands for. */
  target(node: unknown): Node | null {
    if (node === null || node === undefined) return null;
    return this.#resolve(node as Node) ?? null;
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
        const wanted = String(step).toLowerCase();
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value).toLowerCase() === wanted);
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

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.name, line, column: col };
  }
}
