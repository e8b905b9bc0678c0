// Certificates and keys of one load of the configuration. Traefik's FileOrContent: a field holds a path, or the PEM text itself.
// Paths are remembered so that they can be watched, wherever they lie.

import { resolve } from "node:path";
import { type FileText, readTextFile } from "../config/files.ts";
import { type Loaded, loadAuthorities, loadPair } from "./pem.ts";

export class CertificateFiles {
  readonly paths = new Set<string>();
  /** Something could not be used. Then nothing of this load is: the former certificates go on serving. */
  broken = false;
  readonly #texts = new Map<string, FileText>();

  /** `texts` are files that will be there when Sluice runs, by absolute path. */
  constructor(texts: ReadonlyMap<string, string> = new Map()) {
    for (const [path, text] of texts) this.#texts.set(path, { kind: "ok", text, path });
  }

  /** Without `keyFile` the key is looked for beside the certificate. Messages name the file; `part` is the field that names it. */
  pair(certFile: string, keyFile: string | undefined): Loaded {
    const cert = this.#read(certFile);
    const key = keyFile === undefined ? cert : this.#read(keyFile);
    if (cert.kind === "error") return { ...this.#fail(cert.message), part: "certificate" };
    if (key.kind === "error") return { ...this.#fail(key.message), part: "key" };
    const loaded = loadPair(cert.text, key.text);
    if (loaded.kind === "ok") return loaded;
    const { part, message } = loaded;
    return { ...this.#fail(`${(part === "key" ? key : cert).path ?? "inline PEM"}: ${message}`), part };
  }

  authorities(value: string): ReturnType<typeof loadAuthorities> {
    const file = this.#read(value);
    if (file.kind === "error") return this.#fail(file.message);
    const loaded = loadAuthorities(file.text);
    return loaded.kind === "ok" ? loaded : this.#fail(`${file.path ?? "inline PEM"}: ${loaded.message}`);
  }

  #fail(message: string): { kind: "error"; message: string } {
    this.broken = true;
    return { kind: "error", message };
  }

  #read(value: string): FileText {
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
}
