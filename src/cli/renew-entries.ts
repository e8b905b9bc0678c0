// Which certificates `certs renew` is about. The newest of the index is not always the one in use: a run that was killed, or that had no room
// left on the disk, has issued one that never came into its folder. So what a folder holds decides.

import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { DAY, entriesCalled } from "../authority/authority.ts";
import type { Entry, Ledger, Purpose } from "../authority/events.ts";
import { folderName } from "../authority/folder.ts";
import { readManifest } from "../fleet/manifest.ts";
import { readTextFile } from "../system/files.ts";
import { Refusal } from "./authority-access.ts";

/** In which directories the folders are. */
export interface FolderOptions {
  readonly servers: string;
  readonly clients: string;
}

export function folderOf({ purpose, commonName, names }: Entry, options: FolderOptions): string {
  const [first = ""] = names;
  return join(options[`${purpose}s`], folderName(commonName || first.slice(first.indexOf(":") + 1)));
}

/** The one that a word means. @throws Refusal */
export function entryOf(word: string, ledger: Ledger, options: FolderOptions): Entry {
  const found = entriesCalled(word, ledger);
  if (found.length === 0) throw new Refusal(`the authority has issued nothing to '${word}'`);
  const last = found.filter(({ revoked }) => revoked === null).at(-1);
  const entry = last === undefined ? undefined : (heldIn(folderOf(last, options), last.purpose, ledger) ?? last);
  if (entry === undefined || entry.revoked !== null)
    throw new Refusal(`what was issued to '${word}' is revoked: issue a new one`);
  return entry;
}

/** Of each folder the one that it holds, or else the newest, where that ends within so many days and is not revoked. */
export function dueWithin(days: number, ledger: Ledger, options: FolderOptions): Entry[] {
  const newest = new Map<string, Entry>();
  for (const entry of ledger.entries.values()) newest.set(folderOf(entry, options), entry);
  const inUse = [...newest].map(([folder, entry]) => heldIn(folder, entry.purpose, ledger) ?? entry);
  return inUse.filter(({ revoked, notAfter }) => revoked === null && notAfter < Date.now() + days * DAY);
}

/** What a folder holds, of this authority; null where that cannot be seen. */
function heldIn(folder: string, purpose: Purpose, ledger: Ledger): Entry | null {
  const manifest = readManifest(folder);
  const serial =
    manifest.kind === "ok" ? manifest.manifest.serial : serialOf(readTextFile(join(folder, `${purpose}.crt`)));
  const entry = ledger.entries.get(serial ?? "");
  return entry?.purpose === purpose ? entry : null;
}

function serialOf(file: ReturnType<typeof readTextFile>): string | null {
  if (file.kind === "error") return null;
  try {
    return new X509Certificate(file.text).serialNumber;
  } catch {
    return null;
  }
}
