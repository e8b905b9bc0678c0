// One YAML file as its values are named: where in it a path such as tcp.routers.mqtt.rule stands. Values from elsewhere (the
// environment, flags) can be put over what the file says; they keep their own place.

import type { Diagnostics, Place } from "./diagnostics.ts";
import { isYaml } from "./other-languages.ts";
import { parseBool } from "./scalars.ts";
import { isList, isMap, isNothing, isScalar, YamlList, YamlMap, type YamlNode, YamlScalar } from "./yaml-nodes.ts";
import { YamlTree } from "./yaml-tree.ts";

export type Path = readonly (string | number)[];

export class SourceFile extends YamlTree {
  /** Collections that a copy has in common with what it was copied from. Those with an anchor are shared too. */
  readonly #shared = new WeakSet<YamlNode>();
  /** Single values that stand for a mapping, with the key that they have in it. */
  readonly #short = new Map<YamlNode | number, string>();

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
    return isMap(node) ? this.pairs(node).flatMap(({ key }) => (isScalar(key) ? [key.text] : [])) : [];
  }

  /** How many entries the list at `path` has. */
  lengthAt(path: Path): number {
    const { node } = this.#walk(path);
    return isList(node) ? node.items.length : 0;
  }

  isMapping(path: Path): boolean {
    return isMap(this.#walk(path).node);
  }

  /** Says that a single value at `path` stands for a mapping with this one key. */
  standsFor(path: Path, key: string): void {
    const { node } = this.#walk(path);
    if (isScalar(node) && !node.isNull) this.#short.set(identityOf(node), key);
  }

  /** The value at `path`, null where there is none; and the last node on the way, a key where it is one. */
  #walk(path: Path): { node: YamlNode | null; nearest: YamlNode | null } {
    let node = this.target(this.root);
    let nearest: YamlNode | null = node;
    for (const step of path) {
      let next: YamlNode | null = null;
      if (isMap(node)) {
        const pair = this.pairOf(node, step);
        if (pair) {
          nearest = pair.key;
          next = this.target(pair.value);
        }
      } else if (isList(node)) {
        next = this.target(node.items[Number(step)]);
        if (next) nearest = next;
      } else if (node !== null && this.#short.get(identityOf(node)) === step) {
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
    const value = new YamlScalar(text);
    this.putAt(value, place);
    this.isChanged = true;
    if (this.root === null || isNothing(this.root))
      this.root = this.#make(path[0], { file: this.name, line: 0, column: 0 });
    else if (this.root.hasAnchor && (isMap(this.root) || isList(this.root))) this.root = this.#copy(this.root);
    let node = this.root;
    for (const [index, step] of path.slice(0, -1).entries()) node = this.#own(node, step, path[index + 1]!, place);
    this.#put(node, path.at(-1)!, value, place);
  }

  /** What stands under `step`, made a collection that `next` is a step of, and this node's alone. */
  #own(node: YamlNode, step: string | number, next: string | number, place: Place): YamlNode {
    const pair = isMap(node) ? this.pairOf(node, step) : undefined;
    const written = isList(node) ? node.items[Number(step)] : pair?.value;
    const child = this.target(written);
    if (typeof next === "number" ? !isList(child) : !isMap(child)) {
      const made = this.#make(next, place);
      const key = child === null ? undefined : this.#short.get(identityOf(child));
      if (key !== undefined) {
        this.putAt(made, this.place(child));
        this.#put(made, key, child!, this.place(child));
      }
      if (key !== undefined || isSwitch(child)) this.#put(node, step, made, place);
      return made;
    }
    const own =
      written === child &&
      !child!.hasAnchor &&
      !this.#shared.has(child!) &&
      (pair === undefined || (node as YamlMap).items.includes(pair));
    if (own) return child!;
    const copy = this.#copy(child as YamlMap | YamlList);
    this.#put(node, step, copy, this.place(pair === undefined ? child : pair.key));
    return copy;
  }

  #copy(from: YamlMap | YamlList): YamlNode {
    const copy = isMap(from) ? YamlMap.of([...from.items]) : YamlList.of([...from.items]);
    for (const each of isMap(from) ? from.items.map(({ value }) => value) : from.items) {
      const child = this.target(each);
      if (child !== null) this.#shared.add(child);
    }
    this.putAt(copy, this.place(from));
    return copy;
  }

  #make(step: string | number | undefined, place: Place): YamlNode {
    const made = typeof step === "number" ? YamlList.of([]) : YamlMap.of([]);
    this.putAt(made, place);
    return made;
  }

  #put(node: YamlNode, step: string | number, value: YamlNode, place: Place): void {
    if (isList(node)) node.items[Number(step)] = value;
    if (!isMap(node)) return;
    const key = new YamlScalar(String(step));
    this.putAt(key, place);
    const former = this.pairOf(node, step);
    const at = former === undefined ? -1 : node.items.indexOf(former);
    node.items.splice(at < 0 ? node.items.length : at, at < 0 ? 0 : 1, { key, value });
    this.changed(node);
  }
}

/** Nothing, or a section that is only switched on or off. */
function isSwitch(node: YamlNode | null): boolean {
  return isNothing(node) || (isScalar(node) && parseBool(node.text) !== null);
}

/** The same for a node that is made anew. */
function identityOf(node: YamlNode): YamlNode | number {
  return node.at < 0 ? node : node.at;
}

/** The YAML of a configuration file; null when it is none. */
export function readSource(
  file: string,
  text: string,
  diagnostics: Diagnostics,
  which: "static" | "dynamic",
): SourceFile | null {
  if (!isYaml(file, text, which, diagnostics)) return null;
  const before = diagnostics.errors;
  const source = new SourceFile(file, text, diagnostics);
  return diagnostics.errors > before ? null : source;
}
