// The users of a password file in parts of a few kilobytes, as they go to the workers: a reload sends the parts in which a user has
// changed, and a worker reads a part when the first client comes whose name belongs there.

import { createHash } from "node:crypto";
import { formatUsers, readPasswordFile } from "./password-file.ts";
import { formatHash, imitationOf, type PasswordHash } from "./password-hash.ts";

/** Users of one part, about: reading 100 lines takes a worker a third of a millisecond. */
const USERS_PER_PART = 100;
/** Ways of hashing that are imitated for unknown users, the most frequent ones of a file. */
const MAX_WAYS = 50;

/** A way in which passwords of a file are hashed. */
export interface HashWay {
  /** A hash of this way, in the form of the file; its salt and its digest mean nothing. */
  readonly sample: string;
  /** How many users of the file have it. */
  readonly users: number;
}

/** A password file as plain data. */
export interface Users {
  /** The names of the parts; which one a user is in follows from the user's name. Their number is a power of two. */
  readonly parts: readonly string[];
  readonly ways: readonly HashWay[];
  readonly count: number;
}

/** Splits users; `texts` has each part by its name, which is the hash of its content. */
export function splitUsers(users: ReadonlyMap<string, PasswordHash>): { users: Users; texts: Map<string, string> } {
  let size = 1;
  while (size * USERS_PER_PART < users.size) size *= 2;
  const parts: [string, PasswordHash][][] = Array.from({ length: size }, () => []);
  for (const entry of users) parts[partOf(entry[0], size)]!.push(entry);
  const texts = new Map<string, string>();
  const names = parts.map((part) => {
    const text = formatUsers(part);
    const name = createHash("sha256").update(text).digest("hex");
    texts.set(name, text);
    return name;
  });
  return { users: { parts: names, ways: waysOf(users.values()), count: users.size }, texts };
}

/** The users of one part. */
export function readPart(text: string): ReadonlyMap<string, PasswordHash> {
  const read = readPasswordFile(text);
  return read.kind === "ok" ? read.file.users : new Map();
}

/** The number of the part that a name is in, among so many. */
export function partOf(name: string, parts: number): number {
  return Bun.hash.crc32(name) & (parts - 1);
}

function waysOf(hashes: Iterable<PasswordHash>): HashWay[] {
  const ways = new Map<string, { sample: string; users: number }>();
  for (const hash of hashes) {
    const key = keyOf(hash);
    const way = ways.get(key);
    if (way === undefined) ways.set(key, { sample: formatHash(imitationOf(hash)), users: 1 });
    else way.users++;
  }
  const frequent = [...ways.values()].sort((a, b) => b.users - a.users).slice(0, MAX_WAYS);
  // In an order that does not change with the numbers.
  return frequent.sort((a, b) => (a.sample < b.sample ? -1 : 1));
}

/** All that decides what checking a password costs. */
function keyOf(hash: PasswordHash): string {
  const cost =
    hash.kind === "argon2id" ? [hash.memory, hash.passes, hash.lanes] : [hash.kind === "pbkdf2" ? hash.iterations : 1];
  return [hash.kind, ...cost, hash.salt.length, hash.hash.length].join();
}
