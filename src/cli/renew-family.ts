// What `certs renew` makes anew of a folder that was made for a family of clients: all of its files, for the same server.

import type { KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Authority, IssuedCertificate } from "../authority/authority.ts";
import { handOver, type KeyForm } from "../authority/delivery.ts";
import type { Outfit } from "../fleet/device.ts";
import { type FolderPlan, folderFiles } from "../fleet/folder.ts";
import { formerKey, isOtherPassword, keptPassword } from "../fleet/former.ts";
import { obsolete } from "../fleet/make.ts";
import type { Manifest } from "../fleet/manifest.ts";
import { hasOpenKey, hasStores, PASSWORD } from "../fleet/roles.ts";
import { readTextFile } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { Refusal } from "./authority-access.ts";
import { secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface StorePasswordOptions {
  readonly storePasswordFile?: string;
  readonly storePasswordEnv?: string;
}

/** @throws Refusal */
export function checkStorePassword(password: string): void {
  if (password === "") throw new Refusal("the password of the key stores is empty: give one, or leave the option out");
}

const KEY_FILE = "client.key";

export interface FamilyRenewal {
  readonly plan: FolderPlan;
  /** The key that stays and is to be written anew; null where there is a new one, or the file that holds it stays. */
  readonly formerKey: KeyObject | null;
}

/** @throws Refusal */
export async function familyRenewal(
  folder: string,
  name: string,
  { outfit, hasPasswordFile }: Manifest,
  isSameKey: boolean,
  form: KeyForm,
  options: StorePasswordOptions,
  terminal: Terminal,
): Promise<FamilyRenewal> {
  const password = hasStores(outfit) ? await passwordOf(folder, outfit, hasPasswordFile, options, terminal) : null;
  const plan = { name, outfit, form, password };
  if (!isSameKey) return { plan, formerKey: null };
  const key = hasStores(outfit) || hasOpenKey(outfit) ? formerKey(folder, outfit, password?.value ?? null) : null;
  if (key?.kind === "error") throw new Refusal(`${key.message}: without --sameKey there is a new one`);
  const own = existsSync(join(folder, KEY_FILE)) ? readTextFile(join(folder, KEY_FILE)) : null;
  const isKeyEncrypted = own?.kind === "ok" && own.text.includes("ENCRYPTED");
  const kept = own === null ? [] : [KEY_FILE];
  return { plan: { ...plan, kept, isKeyEncrypted }, formerKey: key?.key ?? null };
}

/** Whether the key was taken away from a folder that has it in one file, so that only the certificate can be replaced. */
export function isKeyAway(folder: string, { outfit }: Manifest): boolean {
  return !hasStores(outfit) && !hasOpenKey(outfit) && !existsSync(join(folder, KEY_FILE));
}

/** Writes all files of the folder. @returns their paths. @throws the system's error, TurnTimeout, CannotWrite */
export async function writeFamily(
  authority: Authority,
  folder: string,
  issued: IssuedCertificate,
  { plan, formerKey: former }: FamilyRenewal,
): Promise<readonly string[]> {
  const files = await folderFiles(authority, { ...issued, key: issued.key ?? former }, plan);
  const names = [...files.map(({ name }) => name), KEY_FILE];
  const handed = await handOver(authority, folder, files, true, obsolete(authority, folder, names));
  return handed.kind === "ok" ? handed.paths : [];
}

/** The stores keep their password, since the device has it. @throws Refusal */
async function passwordOf(
  folder: string,
  outfit: Outfit,
  hasFile: boolean,
  { storePasswordFile, storePasswordEnv }: StorePasswordOptions,
  { ask }: Terminal,
): Promise<FolderPlan["password"]> {
  const given = secretOption("storePassword", storePasswordFile, storePasswordEnv);
  if (given.kind === "error") throw new Refusal(given.message);
  const kept = hasFile ? keptPassword(folder) : null;
  if (given.value === null && kept !== null) {
    if (isOtherPassword(folder, outfit, kept))
      throw new Refusal(
        `${join(folder, PASSWORD)} is not the password of the key stores beside it: put it right, or give --storePasswordFile FILE`,
      );
    return { from: "file", value: kept };
  }
  const asked = given.value ?? (ask === null ? null : await ask(`Password of the key stores (${printable(folder)}): `));
  if (asked === null)
    throw new Refusal(
      `${hasFile ? `${join(folder, PASSWORD)} is not there, or empty` : `${folder}: its key stores have a password of yours`}: give --storePasswordFile FILE or --storePasswordEnv NAME`,
    );
  checkStorePassword(asked);
  if (isOtherPassword(folder, outfit, asked)) throw new Refusal(`${folder}: its key stores have another password`);
  return { from: "operator", value: asked };
}
