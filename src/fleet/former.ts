// What a folder that was made before holds: the key and the password that its renewal may keep.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotConvert } from "../certs/convert/material.ts";
import { readMaterial } from "../certs/convert/read.ts";
import { readSecret } from "../certs/secrets.ts";
import { readStore } from "../keystores/read.ts";
import { readFileBytes } from "../system/files.ts";
import type { Outfit } from "./device.ts";
import { STORES } from "./names.ts";
import { PASSWORD } from "./roles.ts";

type Failure = { readonly kind: "error"; readonly message: string };

/** The password that a folder keeps in a file; null where that was taken away, or emptied. */
export function keptPassword(folder: string): string | null {
  const read = readSecret(undefined, join(folder, PASSWORD));
  return (read.kind === "ok" && read.value) || null;
}

/** Whether the folder's own store has another password than this one; one that is not there has none. */
export function isOtherPassword(folder: string, outfit: Outfit, password: string): boolean {
  const file = storeFile(folder, outfit);
  const read = file === null ? null : readFileBytes(file);
  if (read?.kind !== "ok") return false;
  const store = readStore(read.bytes, password);
  return store.kind === "error" && store.reason === "password";
}

/** The private key in a folder, from whichever of its files has it. `password`: of its stores. */
export function formerKey(
  folder: string,
  outfit: Outfit,
  password: string | null,
): { readonly kind: "ok"; readonly key: KeyObject } | Failure {
  const candidates = [storeFile(folder, outfit), join(folder, "client-key.der"), join(folder, "client.key")];
  const file = candidates.find((each) => each !== null && existsSync(each));
  if (file === undefined || file === null) return { kind: "error", message: `${folder} has no private key any more` };
  const read = readFileBytes(file);
  if (read.kind === "error") return read;
  try {
    const { parts } = readMaterial(read.bytes, { store: password, key: null }, null);
    const pkcs8 = parts.find((part) => part.pkcs8 !== null)?.pkcs8;
    if (pkcs8) return { kind: "ok", key: createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }) };
    return { kind: "error", message: `${file} has no private key` };
  } catch (error) {
    if (error instanceof CannotConvert) return { kind: "error", message: `${file}: ${error.message}` };
    throw error;
  }
}

function storeFile(folder: string, { store }: Outfit): string | null {
  return store === null ? null : join(folder, `client.${STORES[store].extension}`);
}
