// Traefik's FileOrContent: a field holds a path, or the PEM text itself. Paths are remembered so that they can be watched, wherever
// they lie.

import { resolve } from "node:path";
import { MAX_STORE_BYTES } from "../keystores/store.ts";
import { type FileBytes, type FileText, readFileBytes, readTextFile } from "../system/files.ts";
import { isBinary } from "./trust-store.ts";

/** What a text that is no file is called in messages and metrics. */
export const INLINE = "inline PEM";

/** Whether a value is the content itself, and no path. */
export function isContent(value: string): boolean {
  return value.includes("-----BEGIN ") || value.includes("\n");
}

/** What a value of a field is called in metrics: its file, the same whatever is wrong with it. */
export function sourceOf(value: string): string {
  return isContent(value) ? INLINE : resolve(value);
}

/** The files of one load: each text is read once. */
export class FilesRead {
  /** Absolute, of files that are not there too. */
  readonly paths = new Set<string>();
  readonly #texts = new Map<string, FileText>();

  /** `texts` are files that will be there when Sluice runs, by absolute path. */
  constructor(texts: ReadonlyMap<string, string>) {
    for (const [path, text] of texts) this.#texts.set(path, { kind: "ok", text, path });
  }

  /** The text of a file, or the value itself where that is the content. */
  text(value: string): FileText {
    if (value.includes("-----BEGIN ")) return { kind: "ok", text: value, path: null };
    if (value.includes("\n"))
      return { kind: "error", message: "neither a path nor PEM text: it has no -----BEGIN line" };
    const path = resolve(value);
    this.paths.add(path);
    let text = this.#texts.get(path);
    if (text === undefined) {
      text = readTextFile(path);
      this.#texts.set(path, text);
    }
    return text;
  }

  /** A file of at most `most` bytes. */
  bytes(path: string, most: number): FileBytes {
    this.paths.add(resolve(path));
    return readFileBytes(path, most);
  }

  /** The bytes of a file that is there and is no PEM text. */
  binary(value: string): Buffer | null {
    if (isContent(value) || this.#texts.has(resolve(value))) return null;
    const read = this.bytes(value, MAX_STORE_BYTES);
    return read.kind === "ok" && !read.bytes.includes("-----BEGIN ") && isBinary(read.bytes) ? read.bytes : null;
  }
}
