// Whether a user name and a password belong together. It takes the same time whether or not there is such a user.

import { createHmac } from "node:crypto";
import { HashQueue } from "./hash-queue.ts";
import { isFast, isFastPasswordOf, isSlowPasswordOf, type PasswordHash, readHash } from "./password-hash.ts";
import { partOf, readPart, type Users } from "./user-parts.ts";

/** `busy`: they were not looked at, and the client may come again; `gone`: they were not, because it has left. */
export type CredentialsOutcome = "right" | "wrong" | "busy" | "gone";

/** Shared by all that a worker checks: what it bounds are the worker's threads. */
const QUEUE = new HashQueue();

export class Credentials {
  readonly #key: Buffer;
  /** The texts of the parts; null: it has not come, and its users are refused. */
  readonly #texts: readonly (string | null)[];
  readonly #queue: HashQueue;
  readonly #ways: readonly { readonly hash: PasswordHash; readonly users: number }[];
  readonly #total: number;
  readonly #parts = new Map<number, ReadonlyMap<string, PasswordHash>>();

  /**
   * `textOf` gives the text of a part by its name; it is asked at once. `key` decides what an unknown name is taken for: a secret that all workers share, so
   * that a name costs the same whenever and wherever it is tried.
   */
  constructor(users: Users, key: Buffer, textOf: (part: string) => string | null, queue: HashQueue = QUEUE) {
    this.#key = key;
    this.#texts = users.parts.map(textOf);
    this.#queue = queue;
    this.#ways = users.ways.flatMap((way) => {
      const read = readHash(way.sample);
      return read.kind === "ok" ? [{ hash: read.hash, users: way.users }] : [];
    });
    this.#total = this.#ways.reduce((sum, { users }) => sum + users, 0);
  }

  /**
   * At once where the hash is a fast one, else in its turn. Never rejects. A password is compared by all of its bytes; one that is longer than
   * CONNECT can carry costs what it is long. The bytes of `password` are kept by nobody.
   */
  verify(username: string, password: Buffer, isGone = () => false): CredentialsOutcome | Promise<CredentialsOutcome> {
    const stranger = this.imitated(username);
    if (stranger === null) return "wrong"; // there are no users
    const known = this.#find(username);
    const hash = known ?? stranger;
    if (isFast(hash)) return isFastPasswordOf(hash, password) && known !== undefined ? "right" : "wrong";
    const kept = Buffer.from(password);
    return this.#queue
      .run(() => isSlowPasswordOf(hash, kept), isGone)
      .then((is) => (typeof is === "string" ? is : is && known !== undefined ? "right" : "wrong"));
  }

  #find(username: string): PasswordHash | undefined {
    const number = partOf(username, this.#texts.length);
    let part = this.#parts.get(number);
    if (part === undefined) {
      part = readPart(this.#texts[number] ?? "");
      this.#parts.set(number, part);
    }
    return part.get(username);
  }

  /** What a name is hashed by that is not there: one of the ways that the file has, as often as the file has it; null where it has none. */
  imitated(username: string): PasswordHash | null {
    if (this.#ways.length <= 1) return this.#ways[0]?.hash ?? null;
    // By share, so that hardly a name changes its way with the number of users.
    const share = createHmac("sha256", this.#key).update(username).digest().readUInt32BE(0) / 2 ** 32;
    let chosen = Math.floor(share * this.#total);
    for (const { hash, users } of this.#ways) {
      if (chosen < users) return hash;
      chosen -= users;
    }
    return null;
  }
}
