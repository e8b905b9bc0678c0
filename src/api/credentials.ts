// Whether a name and a password, or a token, are somebody's: the users and tokens of the static configuration, and a file of users.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type ApiConfig, type Role, whyNoHash } from "../config/api.ts";
import { isFast, isFastPasswordOf, isSlowPasswordOf, readHash } from "../mqtt/password-hash.ts";
import { readTextFile, statOf } from "../system/files.ts";

/** Who asks. */
export interface Who {
  /** As it is logged. */
  readonly name: string;
  readonly role: Role;
}

/** `busy`: so many hashes are under way that this one was not tried. */
export type Verified = Who | "wrong" | "busy";

interface User {
  readonly hash: string;
  readonly role: Role;
}

/** Hashes under way: each takes a thread for up to a second. */
const MAX_HASHING = 4;
/** A page asks every second, and a hash takes 50 ms of a core: who was right stays it for so long. Milliseconds. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 256;
/** How often the file of users is looked at. Milliseconds. */
const LOOK_MS = 1000;
/** Hashed where there is no user, so that an unknown name costs what a known one does. */
const NOBODY: User = { hash: `$2b$10$${"a".repeat(22)}${"b".repeat(31)}`, role: "viewer" };

export interface CredentialEvents {
  /** The file of users, or a line of it, cannot be used; the message is fit for an operator. */
  onBadUsers(message: string): void;
}

export class Credentials {
  readonly #users: ReadonlyMap<string, User>;
  readonly #tokens: readonly { readonly name: string; readonly hash: Buffer; readonly role: Role }[];
  readonly #file: UsersFile | null;
  /** Under a key of this process: what is remembered tells nobody a password. */
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, { readonly who: Who; readonly until: number }>();
  #hashing = 0;

  constructor(config: ApiConfig, events: CredentialEvents) {
    this.#users = new Map(
      Object.entries(config.users).map(([name, { password, role }]) => [name, { hash: password, role }]),
    );
    this.#tokens = Object.entries(config.tokens).map(([name, { sha256, role }]) => ({
      name,
      hash: Buffer.from(sha256, "hex"),
      role,
    }));
    this.#file = config.usersFile === undefined ? null : new UsersFile(config.usersFile, config.usersFileRole, events);
  }

  /** In constant time for each token that there is. */
  ofToken(token: string): Who | null {
    const hash = createHash("sha256").update(token).digest();
    let found: Who | null = null;
    for (const each of this.#tokens) if (timingSafeEqual(each.hash, hash)) found = { name: each.name, role: each.role };
    return found;
  }

  async ofPassword(name: string, password: string): Promise<Verified> {
    const known = this.#users.get(name) ?? this.#file?.find(name);
    const user = known ?? this.#users.values().next().value ?? this.#file?.any() ?? NOBODY;
    // The hash is part of it: a user with another password is another one.
    const digest = createHmac("sha256", this.#key)
      .update(`${user.hash}\0${user.role}\0${name}\0${password}`)
      .digest("base64");
    const remembered = known === undefined ? undefined : this.#remembered.get(digest);
    if (remembered !== undefined && performance.now() < remembered.until) return remembered.who;
    if (this.#hashing >= MAX_HASHING) return "busy";
    this.#hashing++;
    try {
      if (!(await isPasswordOf(user.hash, password)) || known === undefined) return "wrong";
    } finally {
      this.#hashing--;
    }
    const who = { name, role: user.role };
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(digest, { who, until: performance.now() + REMEMBERED_MS });
    return who;
  }
}

async function isPasswordOf(text: string, password: string): Promise<boolean> {
  try {
    // htpasswd writes $2y$, which is the same algorithm.
    if (text.startsWith("$2")) return await Bun.password.verify(password, text.replace(/^\$2[ay]\$/, "$2b$"), "bcrypt");
    const read = readHash(text);
    if (read.kind === "bad") return false;
    const bytes = Buffer.from(password);
    return isFast(read.hash) ? isFastPasswordOf(read.hash, bytes) : await isSlowPasswordOf(read.hash, bytes);
  } catch {
    return false;
  }
}

/** A file of users, a line `name:hash` each. What cannot be read costs nobody who was in it before. */
class UsersFile {
  readonly #path: string;
  readonly #role: Role;
  readonly #events: CredentialEvents;
  #users = new Map<string, User>();
  #seen = "";
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, role: Role, events: CredentialEvents) {
    this.#path = path;
    this.#role = role;
    this.#events = events;
    this.#look();
  }

  find(name: string): User | undefined {
    this.#look();
    return this.#users.get(name);
  }

  any(): User | undefined {
    return this.#users.values().next().value;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    const stat = statOf(this.#path);
    const seen = stat === null ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    const read = readTextFile(this.#path);
    if (read.kind === "error") return this.#events.onBadUsers(`api.usersFile: ${read.message}: its former users stay`);
    this.#users = this.#read(read.text);
  }

  #read(text: string): Map<string, User> {
    const users = new Map<string, User>();
    const twice = new Set<string>();
    for (const [index, line] of text.split("\n").entries()) {
      const content = line.trim();
      if (content === "" || content.startsWith("#")) continue;
      const at = content.indexOf(":");
      const name = content.slice(0, at);
      const hash = content.slice(at + 1);
      const why =
        at < 1
          ? "it has no name before a colon"
          : users.has(name) || twice.has(name)
            ? "its user is there twice, and is refused"
            : whyNoHash(hash);
      if (why === null) users.set(name, { hash, role: this.#role });
      else {
        this.#events.onBadUsers(`${this.#path}:${index + 1}: the line cannot be used: ${why}`);
        if (users.delete(name)) twice.add(name);
      }
    }
    return users;
  }
}
