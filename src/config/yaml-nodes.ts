// The values of a YAML text as nodes. Those of a collection are made when somebody looks into it, and may be forgotten again.

/** Who knows what is in a collection. */
interface Source {
  childrenOf(at: number): YamlNode[];
}

export type YamlNode = YamlScalar | YamlMap | YamlList | YamlAlias;

/** A number that says where in a text a node is, or that none holds it. */
export const NOWHERE = -1;

export class YamlScalar {
  readonly at: number;
  /** As it is written, without quotes. */
  readonly text: string;
  /** Nothing, or a word for it. */
  readonly isNull: boolean;
  /** It has no quotes. */
  readonly isPlain: boolean;
  readonly hasAnchor: boolean;

  constructor(text: string, isNull = false, isPlain = false, at = NOWHERE, hasAnchor = false) {
    this.text = text;
    this.isNull = isNull;
    this.isPlain = isPlain;
    this.at = at;
    this.hasAnchor = hasAnchor;
  }
}

export interface YamlPair {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

class Collection<T> {
  readonly at: number;
  readonly hasAnchor: boolean;
  readonly #source: Source | null;
  #items: T[] | null;

  constructor(source: Source | null, at: number, hasAnchor: boolean, items: T[] | null = null) {
    this.#source = source;
    this.at = at;
    this.hasAnchor = hasAnchor;
    this.#items = items;
  }

  get items(): T[] {
    if (this.#items === null) this.#items = this.read(this.#source!);
    return this.#items;
  }

  protected read(_: Source): T[] {
    return [];
  }

  /** The nodes in it are made anew when they are asked for again. */
  forget(): void {
    if (this.#source !== null) this.#items = null;
  }
}

export class YamlMap extends Collection<YamlPair> {
  /** It stands in braces. */
  readonly isFlow: boolean;

  constructor(source: Source | null, at: number, hasAnchor: boolean, isFlow: boolean, items: YamlPair[] | null = null) {
    super(source, at, hasAnchor, items);
    this.isFlow = isFlow;
  }

  /** One that no text holds. */
  static of(items: YamlPair[]): YamlMap {
    return new YamlMap(null, NOWHERE, false, false, items);
  }

  protected override read(source: Source): YamlPair[] {
    const nodes = source.childrenOf(this.at);
    const pairs: YamlPair[] = [];
    for (let index = 0; index + 1 < nodes.length; index += 2)
      pairs.push({ key: nodes[index]!, value: nodes[index + 1]! });
    return pairs;
  }
}

export class YamlList extends Collection<YamlNode> {
  static of(items: YamlNode[]): YamlList {
    return new YamlList(null, NOWHERE, false, items);
  }

  protected override read(source: Source): YamlNode[] {
    return source.childrenOf(this.at);
  }
}

/** It stands for the node that has its anchor. */
export class YamlAlias {
  readonly at: number;
  readonly hasAnchor = false;

  constructor(at: number) {
    this.at = at;
  }
}

export function isScalar(node: unknown): node is YamlScalar {
  return node instanceof YamlScalar;
}

export function isMap(node: unknown): node is YamlMap {
  return node instanceof YamlMap;
}

export function isList(node: unknown): node is YamlList {
  return node instanceof YamlList;
}

export function isAlias(node: unknown): node is YamlAlias {
  return node instanceof YamlAlias;
}

/** Nothing, or a word for it. */
export function isNothing(node: YamlNode | null): boolean {
  return node === null || (isScalar(node) && node.isNull);
}
