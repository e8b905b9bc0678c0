// Traefik's FileOrContent: a field holds a path, or the PEM text itself. Paths are remembered so that they can be watched, wherever
// they lie.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { MAX_STORE_BYTES } from "../keystores/store.ts";
import { type FileBytes, type FileText, readFileBytes } from "../system/files.ts";
import { contentOf } from "./content.ts";
import { looksLikePem } from "./pem-blocks.ts";
import { isBinary } from "./trust-store.ts";
import { describeWrongContent, type Wanted } from "./wrong-content.ts";

/** What a text that is no file is called in messages and metrics. */
export const INLINE = "inline PEM";

/** The value is not repeated: a key that has lost its BEGIN line, or its place, looks like a path. */
const HIDDEN =
  "neither PEM text nor the path of a file that is there; the value is not shown here, because it may be the key itself";

/** Whether a value is the content itself, or may be, and no path. */
export function isContent(value: string): boolean {
  return looksLikePem(value) || !(isPathLike(value) || existsSync(resolve(value)));
}

/** Whether a value can only be meant as a path, so that a message may repeat it: a key in base64 or a password is not like this. */
function isPathLike(value: string): boolean {
  if (value.length > MAX_PATH || /\s/.test(value)) return false;
  return /^(?:\/|~|\.{1,2}\/)/.test(value) || /[^./]\.[A-Za-z0-9]{1,10}$/.test(value) || hasDirectory(value);
}

const MAX_PATH = 1024;

function hasDirectory(value: string): boolean {
  const directory = dirname(value);
  return directory !== "." && existsSync(resolve(directory));
}

/** What a value of a field is called in metrics: its file, the same whatever is wrong with it. */
export function sourceOf(value: string): string {
  return isContent(value) ? INLINE : resolve(value);
}

/** What a value of a field is called in messages. */
export function shownSource(value: string): string {
  return isContent(value) ? INLINE : value;
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

  /** What a value is that cannot be used as what is `wanted`; null when it is that, or is not there. */
  describeWrong(value: string, wanted: Wanted): string | null {
    if (!isContent(value)) {
      const read = readFileBytes(resolve(value));
      return read.kind === "error" ? null : describeWrongContent(read.bytes, wanted);
    }
    const content = contentOf(Buffer.from(value));
    // What is no PEM may be a path after all.
    return looksLikePem(value) || content.form === "base64" ? describeWrongContent(Buffer.from(value), wanted) : null;
  }

  /** The text of a file, or the value itself where that is the content. */
  text(value: string): FileText {
    if (looksLikePem(value)) return { kind: "ok", text: value, path: null };
    const path = resolve(value);
    let text = this.#texts.get(path);
    if (text === undefined && isContent(value)) {
      if (value.length <= MAX_PATH && !/[\n\0]/.test(value)) this.paths.add(path); // it may come yet
      return { kind: "error", message: HIDDEN };
    }
    this.paths.add(path);
    if (text === undefined) {
      const read = readFileBytes(path);
      text = read.kind === "error" ? read : { kind: "ok", text: read.bytes.toString("utf8"), path };
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
    return read.kind === "ok" && !looksLikePem(read.bytes) && isBinary(read.bytes) ? read.bytes : null;
  }
}
