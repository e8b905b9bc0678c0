// Writing into a store of routes: in one transaction where it fits into one, and else behind a mark that tells readers to wait.

import type { Entry } from "../engine.ts";
import { IMPORT_MARK } from "./mark.ts";

export interface Write {
  /** Below the root key. */
  readonly path: string;
  /** null: it is deleted. */
  readonly value: string | null;
}

/** A store that can be written into. All of it throws with a message for an operator when the store refuses or is away. */
export interface StoreWriter {
  /** Everything below the root key. */
  read(): Promise<readonly Entry[]>;
  /** How many of these, from the first on, fit into one transaction: one at least. */
  fitting(writes: readonly Write[]): number;
  /** One transaction: all of them or none. With `unless`, none where that path is there. */
  write(writes: readonly Write[], unless?: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Writes all of it so that no Sluice ever takes a half of it: in one transaction, or in several behind a mark, which comes with the first
 * and goes with the last. Whoever is killed in between leaves the mark, and running it again, with `resumes`, completes it.
 */
export async function writeAll(writer: StoreWriter, writes: readonly Write[], resumes: boolean): Promise<void> {
  const end: Write = { path: IMPORT_MARK, value: null };
  const all = resumes ? [...writes, end] : writes;
  if (all.length === 0) return;
  if (writer.fitting(all) >= all.length) return writer.write(all);
  const begin: Write = { path: IMPORT_MARK, value: new Date().toISOString() };
  let rest = resumes ? all : [begin, ...writes, end];
  let unless = resumes ? undefined : IMPORT_MARK;
  while (rest.length > 0) {
    const count = writer.fitting(rest);
    await writer.write(rest.slice(0, count), unless);
    unless = undefined;
    rest = rest.slice(count);
  }
}
