// What is where in the folder of an authority.

import { createHash } from "node:crypto";
import { join } from "node:path";

/** The files of an authority. `intermediate` issues, where it is there; otherwise `root` does. */
export function filesOf(directory: string) {
  const file = (name: string) => join(directory, name);
  return {
    root: { cert: file("ca.crt"), key: file("ca.key"), list: file("ca-crl.pem") },
    intermediate: { cert: file("intermediate.crt"), key: file("intermediate.key") },
    index: file("index.txt"),
    /** Empty; who holds it writes. */
    lock: file("index.lock"),
    /** Every list that a server needs, in one file. */
    list: file("crl.pem"),
    issued: (serial: string) => join(directory, "issued", `${serial}.crt`),
    issuedDirectory: file("issued"),
  };
}

export type AuthorityFiles = ReturnType<typeof filesOf>;

/** Longest name of a folder, in bytes; file systems take 255. */
const MAX_FOLDER_BYTES = 200;

/** The folder of what is issued to `name`: the name itself, but for what no folder is called by. Different names have different folders. */
export function folderName(name: string): string {
  const safe = name.replace(/[%/\\:*?"<>|]|^[.~-]/g, percent);
  if (Buffer.byteLength(safe) <= MAX_FOLDER_BYTES) return safe;
  return `${cut(safe)}-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

/** An ASCII character as URLs escape it. */
function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function cut(text: string): string {
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(character) > MAX_FOLDER_BYTES) break;
    kept += character;
  }
  return kept;
}
