// What is handed over with a certificate: files in a folder of their own.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { replaceFiles } from "../system/replace-file.ts";
import { inTurn } from "../system/turns.ts";
import type { Authority, IssuedCertificate } from "./authority.ts";
import { des3KeyText, keyText } from "./keys.ts";

export interface DeliveredFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Nobody else may read it: it holds a key or a password. */
  readonly isSecret: boolean;
}

/** How a private key is written: `password` encrypts it, by `cipher`. */
export interface KeyForm {
  readonly password: string | null;
  readonly cipher: "aes256" | "des3";
}

export const PLAIN: KeyForm = { password: null, cipher: "aes256" };

/** The files of a server or a client in PEM: its certificate with the chain, its key if we have it, and whom it is to trust. */
export function pemFiles(
  authority: Authority,
  { certificate, chain, key }: IssuedCertificate,
  base: "server" | "client",
  form: KeyForm = PLAIN,
): DeliveredFile[] {
  const files: DeliveredFile[] = [];
  if (key !== null) {
    const { password, cipher } = form;
    const content = password !== null && cipher === "des3" ? des3KeyText(key, password) : keyText(key, password);
    files.push({ name: `${base}.key`, content, isSecret: true });
  }
  files.push({ name: `${base}.crt`, content: certificate + chain, isSecret: false });
  files.push({ name: "ca.crt", content: authority.root, isSecret: false });
  return files;
}

/** The first of these files that is there already; null when none is. */
export function occupied(folder: string, names: readonly string[]): string | null {
  return names.map((name) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

export type HandedOver =
  | { readonly kind: "ok"; readonly paths: readonly string[] }
  /** Something is there already, and was not to be replaced. */
  | { readonly kind: "taken"; readonly path: string };

/**
 * Writes files into a folder, all of them or none but for an instant. Runs at the same time take turns, so that a key and a certificate
 * of two of them never stand beside each other.
 * @throws the system's error, TurnTimeout
 */
export function handOver(
  authority: Authority,
  folder: string,
  files: readonly DeliveredFile[],
  isReplacing: boolean,
): Promise<HandedOver> {
  return inTurn(authority.facts.files.lock, async (): Promise<HandedOver> => {
    const taken = isReplacing
      ? null
      : occupied(
          folder,
          files.map(({ name }) => name),
        );
    if (taken !== null) return { kind: "taken", path: taken };
    mkdirSync(folder, { recursive: true });
    const written = files.map(({ name, content, isSecret }) => ({
      ...{ name: join(folder, name), content },
      mode: isSecret ? 0o600 : 0o644,
    }));
    replaceFiles(written);
    return { kind: "ok", paths: written.map(({ name }) => name) };
  });
}
