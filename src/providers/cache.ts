// What a provider last read, in a file: so that a restart while its store is away serves what was last good. It may hold keys and
// passwords, so it is for its owner alone.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeError } from "../system/errors.ts";
import { isThere, readFileBytes } from "../system/files.ts";
import { replaceFile } from "../system/replace-file.ts";
import type { Content } from "./engine.ts";

/** A million entries. */
const MAX_BYTES = 512 * 1024 * 1024;

const shape = z.object({
  version: z.literal(1),
  /** Where it is from: a cache of another store is none. */
  place: z.string(),
  /** When it was read; Unix time in milliseconds. */
  at: z.number(),
  content: z.union([
    z.object({ entries: z.array(z.tuple([z.string(), z.string(), z.string()])) }),
    z.object({ place: z.string(), text: z.string() }),
  ]),
});

export type Cached =
  | { readonly kind: "ok"; readonly content: Content; readonly at: number }
  | { readonly kind: "none" }
  | { readonly kind: "error"; readonly message: string };

export class Cache {
  readonly file: string;
  readonly #directory: string;
  readonly #place: string;

  /** `place` is the engine's. */
  constructor(directory: string, provider: string, place: string) {
    this.#directory = directory;
    this.#place = place;
    this.file = join(directory, `${provider}.json`);
  }

  read(): Cached {
    if (!isThere(this.file)) return { kind: "none" };
    const read = readFileBytes(this.file, MAX_BYTES);
    if (read.kind === "error") return read;
    let parsed: z.output<typeof shape>;
    try {
      parsed = shape.parse(JSON.parse(read.bytes.toString("utf8")));
    } catch {
      return { kind: "error", message: "is not what Sluice wrote there" };
    }
    if (parsed.place !== this.#place) return { kind: "none" };
    const { content, at } = parsed;
    if ("text" in content) return { kind: "ok", content, at };
    return { kind: "ok", content: content.entries.map(([path, value, place]) => ({ path, value, place })), at };
  }

  /** @returns why it could not be written, or null. */
  write(content: Content, at: number): string | null {
    const stored =
      "text" in content ? content : { entries: content.map((each) => [each.path, each.value, each.place]) };
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFile(this.file, JSON.stringify({ version: 1, place: this.#place, at, content: stored }), 0o600);
      return null;
    } catch (error) {
      return describeError(error);
    }
  }
}
