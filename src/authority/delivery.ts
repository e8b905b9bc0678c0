// What is handed over with a certificate: files in a folder of their own.

import type { KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isThere } from "../system/files.ts";
import { createDirectory, replaceFiles, unfinishedFiles } from "../system/replace-file.ts";
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

/** PEM: PKCS#8, or what old OpenSSL wrote. */
export function keyFileText(key: KeyObject, { password, cipher }: KeyForm): string {
  return password !== null && cipher === "des3" ? des3KeyText(key, password) : keyText(key, password);
}

/** The files of a server or a client in PEM: its certificate with the chain, its key if we have it, and whom it is to trust. */
export function pemFiles(
  authority: Authority,
  { certificate, chain, key }: IssuedCertificate,
  base: "server" | "client",
  form: KeyForm = PLAIN,
): DeliveredFile[] {
  const files: DeliveredFile[] = [];
  if (key !== null) files.push({ name: `${base}.key`, content: keyFileText(key, form), isSecret: true });
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
 * Writes files into a folder. A new folder is there with all of them or not at all, whatever happens; in one that is there they change all
 * but for an instant. Runs at the same time take turns, so that a key and a certificate of two of them never stand beside each other.
 * `obsolete`: the names of files that nothing belongs to any more.
 * @throws the system's error, TurnTimeout
 */
export function handOver(
  authority: Authority,
  folder: string,
  files: readonly DeliveredFile[],
  isReplacing: boolean,
  obsolete: readonly string[] = [],
): Promise<HandedOver> {
  return inTurn(authority.facts.files.lock, async (): Promise<HandedOver> => {
    const taken = isReplacing
      ? null
      : occupied(
          folder,
          files.map(({ name }) => name),
        );
    if (taken !== null) return { kind: "taken", path: taken };
    const written = files.map(({ name, content, isSecret }) => ({
      ...{ name: join(folder, name), content },
      mode: isSecret ? 0o600 : 0o644,
    }));
    if (isThere(folder)) {
      mkdirSync(folder, { recursive: true }); // says what is wrong with what is no directory
      const names = files.map(({ name }) => name);
      for (const path of unfinishedFiles(folder, names)) rmSync(path, { force: true });
      replaceFiles(written);
      for (const name of obsolete) rmSync(join(folder, name), { force: true });
    } else createDirectory(folder, unfinished(authority, folder), written);
    return { kind: "ok", paths: written.map(({ name }) => name) };
  });
}

/** Where a folder is filled before it gets its name. No folder of a client or a server begins with a dot. */
function unfinished(authority: Authority, folder: string): string {
  return join(dirname(folder), `.${basename(folder)}${unfinishedEnd(authority)}`);
}

/** Who holds the lock of this authority may remove what ends so: nobody else is filling it. */
function unfinishedEnd({ facts }: Authority): string {
  return `.${facts.root.fingerprint256.replaceAll(":", "").slice(0, 8).toLowerCase()}.tmp`;
}

/** Removes what runs that were killed have left among the folders in `directory`: keys that nobody will ask for. @throws as `handOver` */
export function removeUnfinished(authority: Authority, directory: string): Promise<void> {
  return inTurn(authority.facts.files.lock, async () => {
    if (!existsSync(directory)) return;
    const end = unfinishedEnd(authority);
    for (const name of readdirSync(directory))
      if (name.startsWith(".") && name.endsWith(end)) rmSync(join(directory, name), { recursive: true, force: true });
  });
}
