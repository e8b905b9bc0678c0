// Makes the folders of devices, one after the other: each is whole before the next one begins, so whatever stops a run, the same command goes on
// where it stopped.

import { createPublicKey, type KeyObject } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Authority, AuthorityError, IssuedCertificate } from "../authority/authority.ts";
import { type DeliveredFile, handOver, type KeyForm, occupied, pemFiles } from "../authority/delivery.ts";
import { type KeyChoice, newKey } from "../authority/keys.ts";
import type { Subject } from "../authority/names.ts";
import { unfinishedFiles } from "../system/replace-file.ts";
import type { Outfit } from "./device.ts";
import { type FolderPlan, folderFiles, namesOf } from "./folder.ts";
import { readManifest } from "./manifest.ts";

/** A device that is to be made. */
export interface Order {
  readonly subject: Subject;
  readonly days: number;
  readonly key: KeyChoice;
  readonly folder: string;
  /** null: PEM alone. */
  readonly outfit: Outfit | null;
  readonly form: KeyForm;
  readonly password: FolderPlan["password"];
  /** What is in the folder already is replaced. */
  readonly isReplacing: boolean;
}

export type Made =
  | { readonly kind: "ok"; readonly issued: IssuedCertificate; readonly paths: readonly string[] }
  /** Something is there already, and was not to be replaced. */
  | { readonly kind: "taken"; readonly path: string }
  | AuthorityError;

const PEM_NAMES = ["client.key", "client.crt", "ca.crt"];

/** What there is of a device already. */
export type Found =
  | { readonly kind: "nothing" }
  /**
   * `done`: all of it, as the order has it. `half`: a run was killed while it replaced what is there. `other`: something else, such as the
   * folder of another family. `path` is one of its files.
   */
  | { readonly kind: "done" | "half" | "other"; readonly path: string };

export function found({ folder, outfit }: Order, hasIntermediate: boolean): Found {
  const names = outfit === null ? PEM_NAMES : namesOf(outfit, hasIntermediate);
  const [half] = unfinishedFiles(folder, names);
  if (half !== undefined) return { kind: "half", path: half };
  const path = occupied(folder, names);
  if (path === null) return { kind: "nothing" };
  const read = readManifest(folder);
  const same =
    outfit === null
      ? read.kind === "none" && PEM_NAMES.every((name) => occupied(folder, [name]) !== null)
      : read.kind === "ok" && isAlike(read.manifest.outfit, outfit);
  return { kind: same ? "done" : "other", path };
}

/** Whether the same files are in both; where the server is may have changed. */
function isAlike(one: Outfit, other: Outfit): boolean {
  return one.family === other.family && one.store === other.store && one.legacy === other.legacy;
}

/**
 * Makes devices in their order, and hands each to `done`, which says whether to go on. Keys are made ahead, in threads: the slow ones use all
 * processors.
 * @throws the system's error, IndexDamaged, TurnTimeout, CannotWrite
 */
export async function makeAll(
  authority: Authority,
  orders: readonly Order[],
  done: (order: Order, made: Made) => boolean,
): Promise<void> {
  const ahead: Promise<KeyObject>[] = [];
  const most = availableParallelism() + 1;
  let asked = 0;
  for (const order of orders) {
    while (ahead.length < most && asked < orders.length) {
      const key = newKey(orders[asked++]!.key);
      key.catch(() => {}); // it is awaited below, or not needed any more
      ahead.push(key);
    }
    if (!done(order, await make(authority, order, await ahead.shift()!))) return;
  }
}

async function make(authority: Authority, order: Order, key: KeyObject): Promise<Made> {
  const { subject, days, folder, isReplacing } = order;
  // Another run may have made it meanwhile: then nothing is issued that nobody gets.
  const there = isReplacing ? null : found(order, authority.facts.hasIntermediate);
  if (there !== null && there.kind !== "nothing") return { kind: "taken", path: there.path };
  const answer = await authority.issue({ purpose: "client", subject, days, key: createPublicKey(key) });
  if (answer.kind === "error") return answer;
  const issued = { ...answer.issued, key };
  const files = await filesOf(authority, issued, order);
  const handed = await handOver(authority, folder, files, isReplacing, obsolete(authority, folder, namesIn(files)));
  return handed.kind === "taken" ? handed : { kind: "ok", issued, paths: handed.paths };
}

/** Everything that goes into the folder. @throws CannotWrite */
async function filesOf(
  authority: Authority,
  issued: IssuedCertificate,
  { subject, outfit, form, password }: Order,
): Promise<DeliveredFile[]> {
  if (outfit === null) return pemFiles(authority, issued, "client", form);
  return folderFiles(authority, issued, { name: subject.commonName, outfit, form, password });
}

/** What the folder was made for before, and is not any more: a store with the former key would only mislead. */
export function obsolete(authority: Authority, folder: string, kept: readonly string[]): string[] {
  const read = readManifest(folder);
  if (read.kind !== "ok") return [];
  return namesOf(read.manifest.outfit, authority.facts.hasIntermediate).filter((name) => !kept.includes(name));
}

const namesIn = (files: readonly DeliveredFile[]): string[] => files.map(({ name }) => name);
