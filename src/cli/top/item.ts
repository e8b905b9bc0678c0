// One line of a list, whatever it is of: what its columns show, what it is sorted by, and all that is known of it.

/** As a glyph: `+` well, `!` look at it, `x` broken, `~` on its way out, ` ` nothing to say. */
export type Mark = "+" | "!" | "x" | "~" | " ";

export type Fact = readonly [name: string, value: string];

export interface Item {
  /** Names it from one look to the next. */
  readonly key: string;
  readonly mark: Mark;
  readonly cells: Readonly<Record<string, string>>;
  /** Where it differs from the cell. */
  readonly order?: Readonly<Record<string, number>>;
  readonly facts: readonly Fact[];
}

export interface Column {
  /** Of `cells`. */
  readonly name: string;
  readonly title: string;
  /** Columns on the screen, or its share of what is left. */
  readonly width: { readonly fixed: number } | { readonly share: number };
  readonly side?: "right";
  /** It is shown on screens that are so wide. */
  readonly from?: number;
}

export interface Sort {
  readonly name: string;
  /** What it begins with. */
  readonly isDescending: boolean;
}

/** By what it is told to; where two are equal, as they were. */
export function sortedItems(items: readonly Item[], { name }: Sort, isDescending: boolean): Item[] {
  const sign = isDescending ? -1 : 1;
  return [...items].sort((a, b) => {
    const [left, right] = [a.order?.[name] ?? a.cells[name] ?? "", b.order?.[name] ?? b.cells[name] ?? ""];
    return left < right ? -sign : left > right ? sign : 0;
  });
}
