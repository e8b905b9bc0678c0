// The file in which bans outlive a restart: JSON, mode 0600, replaced as a whole.

import { lstatSync, renameSync } from "node:fs";
import { describeError } from "../system/errors.ts";
import { isThere, readTextFile } from "../system/files.ts";
import { replaceFile } from "../system/replace-file.ts";

/** A ban as the file has it, and as it is listed. */
export interface StoredBan {
  readonly entryPoint: string;
  /** In CIDR form. */
  readonly network: string;
  /** Unix time in milliseconds. */
  readonly until: number;
  /** How long it is in all. Milliseconds. */
  readonly ms: number;
  /** The how many-th in a row; 0: by hand. */
  readonly level: number;
  /** Of the last failure, or `by-hand`. */
  readonly reason: string;
}

const MODE = 0o600;
/** What several entry points may write together: some 10 MB each, when all their tables are full. */
const MAX_BYTES = 256 * 1024 * 1024;

/** What is there; none where there is no file yet. What is no ban is left out. @throws an Error with a message for the operator */
export function readBans(path: string): StoredBan[] {
  if (!isThere(path)) return [];
  const read = readTextFile(path, MAX_BYTES);
  if (read.kind === "error") throw new Error(read.message);
  let parsed: unknown;
  try {
    parsed = JSON.parse(read.text);
  } catch {
    throw new Error(`${path} is no JSON`);
  }
  const bans = (parsed as { bans?: unknown } | null)?.bans;
  if (!Array.isArray(bans)) throw new Error(`${path} has no list of bans`);
  return bans.filter(isBan);
}

/** Puts a file aside that cannot be read, so that somebody can mend it. @returns its new name; null: it stays, and is lost with the next ban */
export function putAside(path: string): string | null {
  const aside = `${path}.broken`;
  try {
    if (!lstatSync(path).isFile()) return null;
    renameSync(path, aside);
    return aside;
  } catch {
    return null;
  }
}

/** @throws an Error with a message for the operator */
export function writeBans(path: string, bans: readonly StoredBan[]): void {
  const lines = bans.map((ban) => JSON.stringify(ban));
  try {
    replaceFile(path, `{"version":1,"bans":[\n${lines.join(",\n")}\n]}\n`, MODE);
  } catch (error) {
    throw new Error(`${path}: ${describeError(error)}`);
  }
}

function isBan(value: unknown): value is StoredBan {
  if (typeof value !== "object" || value === null) return false;
  const { entryPoint, network, until, ms, level, reason } = value as Record<string, unknown>;
  const texts = [entryPoint, network, reason].every((each) => typeof each === "string");
  return texts && [until, ms, level].every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
}
