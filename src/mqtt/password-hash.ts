// One hash of a password, in the forms that Mosquitto's password file has: $6$, $7$ and argon2id. What it may cost is bounded where it is
// read: whoever can send a CONNECT makes Sluice compute it.

import { createHash, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** Rounds of PBKDF2-HMAC-SHA512: five times what OWASP recommends for it (210 000). A password then takes some 0.8 s of a core. */
export const MAX_ITERATIONS = 1_000_000;
/** Memory of argon2id in KiB, twice that of the second recommended option of RFC 9106 (64 MiB). */
const MAX_ARGON2_MEMORY = 128 * 1024;
/** Passes of argon2id over its memory. */
const MAX_ARGON2_PASSES = 10;
/** Lanes of argon2id. */
const MAX_ARGON2_LANES = 8;

/** Bytes of salt: `mosquitto_passwd` writes 12 up to 2.0 and 64 from 2.1 on, and Mosquitto 2.1 reads nothing else. */
const SALT_BYTES: readonly number[] = [12, 64];
/** Bytes of a SHA-512, and of what PBKDF2 derives. */
const HASH_BYTES = 64;
/** Bytes of argon2id's salt and of its hash. RFC 9106 has 8 and 4 as the least; a hash of 4 bytes is guessed in hours. */
const ARGON2_SALT = { least: 8, most: 64 };
const ARGON2_HASH = { least: 16, most: 64 };
/** Hashed in place of an empty password. */
const SOMETHING = Buffer.of(0);

/** Salt and hash are in base64, as in the file: a file of 50 000 users is read in a fraction of the time, and most hashes are never used. */
export type PasswordHash =
  | { readonly kind: "sha512"; readonly salt: string; readonly hash: string }
  | { readonly kind: "pbkdf2"; readonly iterations: number; readonly salt: string; readonly hash: string }
  | {
      readonly kind: "argon2id";
      /** KiB. */
      readonly memory: number;
      readonly passes: number;
      readonly lanes: number;
      /** Without padding, here and in the hash: PHC has none, and the runtime reads nothing else. */
      readonly salt: string;
      readonly hash: string;
    };

export type HashRead =
  | { readonly kind: "ok"; readonly hash: PasswordHash }
  /** In words for the operator, without anything of the hash or the password. */
  | { readonly kind: "bad"; readonly message: string };

/** What stands behind the name in a password file. Total: any text gives an answer, at a cost that is linear in its length. */
export function readHash(text: string): HashRead {
  const parts = text.split("$");
  if (parts.length < 2 || parts[0] !== "")
    return bad("its password is not hashed, or damaged: hash it with mosquitto_passwd");
  switch (parts[1]) {
    case "6":
      return parts.length === 4 ? readSha512(parts[2]!, parts[3]!) : bad(NOT_WHOLE);
    case "7":
      return parts.length === 5 ? readPbkdf2(parts[2]!, parts[3]!, parts[4]!) : bad(NOT_WHOLE);
    case "argon2id":
      return parts.length === 6 ? readArgon2id(parts[2]!, parts[3]!, parts[4]!, parts[5]!) : bad(NOT_WHOLE);
    default:
      return bad("its password is hashed in a way that is not known here: $6$, $7$ and $argon2id$ are");
  }
}

const NOT_WHOLE = "its hash is not whole";
const BAD_HASH = "its hash is no base64 of 64 bytes";
const BAD_SALT = "its salt is no base64 of 12 or 64 bytes";

function readSha512(saltText: string, hashText: string): HashRead {
  const salt = saltOf(saltText);
  const hash = base64(hashText, HASH_BYTES, HASH_BYTES);
  if (salt === null) return bad(BAD_SALT);
  return hash === null ? bad(BAD_HASH) : { kind: "ok", hash: { kind: "sha512", salt, hash } };
}

function readPbkdf2(count: string, saltText: string, hashText: string): HashRead {
  // As by atoi() in Mosquitto: what stands behind the digits does not count.
  const iterations = Number(/^\d{1,15}/.exec(count)?.[0] ?? 0);
  if (iterations < 1) return bad("its hash has less than one iteration");
  if (iterations > MAX_ITERATIONS) return bad(`its hash has more than ${MAX_ITERATIONS} iterations`);
  const salt = saltOf(saltText);
  const hash = base64(hashText, HASH_BYTES, HASH_BYTES);
  if (salt === null) return bad(BAD_SALT);
  return hash === null ? bad(BAD_HASH) : { kind: "ok", hash: { kind: "pbkdf2", iterations, salt, hash } };
}

/** In the form of PHC, with the parameters in the order of the reference implementation. */
function readArgon2id(version: string, parameters: string, saltText: string, hashText: string): HashRead {
  if (version !== "v=19") return bad("its argon2id hash is of another version than 19");
  const found = /^m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})$/.exec(parameters);
  if (found === null) return bad("its argon2id hash has no m=, t= and p=");
  const [memory, passes, lanes] = [Number(found[1]), Number(found[2]), Number(found[3])];
  if (lanes < 1 || lanes > MAX_ARGON2_LANES)
    return bad(`its argon2id hash has a p that is not from 1 to ${MAX_ARGON2_LANES}`);
  if (passes < 1 || passes > MAX_ARGON2_PASSES)
    return bad(`its argon2id hash has a t that is not from 1 to ${MAX_ARGON2_PASSES}`);
  if (memory < 8 * lanes || memory > MAX_ARGON2_MEMORY)
    return bad(`its argon2id hash has an m that is not from 8 for each lane to ${MAX_ARGON2_MEMORY}`);
  const salt = bare(base64(saltText, ARGON2_SALT.least, ARGON2_SALT.most));
  if (salt === null) return bad(`its salt is no base64 of ${ARGON2_SALT.least} to ${ARGON2_SALT.most} bytes`);
  const hash = bare(base64(hashText, ARGON2_HASH.least, ARGON2_HASH.most));
  if (hash === null) return bad(`its hash is no base64 of ${ARGON2_HASH.least} to ${ARGON2_HASH.most} bytes`);
  return { kind: "ok", hash: { kind: "argon2id", memory, passes, lanes, salt, hash } };
}

/** The text of a hash, in the one form that `readHash` reads back. */
export function formatHash(hash: PasswordHash): string {
  const { salt, hash: digest } = hash;
  switch (hash.kind) {
    case "sha512":
      return `$6$${salt}$${digest}`;
    case "pbkdf2":
      return `$7$${hash.iterations}$${salt}$${digest}`;
    case "argon2id":
      return `$argon2id$v=19$m=${hash.memory},t=${hash.passes},p=${hash.lanes}$${salt}$${digest}`;
  }
}

/** A hash that no password has, and that costs what this one costs. */
export function imitationOf(hash: PasswordHash): PasswordHash {
  const zeros = (text: string) => text.replaceAll(/[^=]/g, "A");
  return { ...hash, salt: zeros(hash.salt), hash: zeros(hash.hash) };
}

export type SlowHash = Exclude<PasswordHash, { kind: "sha512" }>;

/** One round of SHA-512 takes less than handing it to a thread: it is computed where it is asked for. */
export function isFast(hash: PasswordHash): hash is Exclude<PasswordHash, SlowHash> {
  return hash.kind === "sha512";
}

/**
 * Whether the password is the one of the hash, every byte of it, NUL too: Mosquitto ends it at the first NUL, and lets `pw\0tail` in as
 * `pw`. Compares in constant time, as `isSlowPasswordOf` does.
 */
export function isFastPasswordOf(hash: Exclude<PasswordHash, SlowHash>, password: Buffer): boolean {
  return isEqual(createHash("sha512").update(password).update(decode(hash.salt)).digest(), hash.hash);
}

/** The same, computed in a thread of the runtime's. Rejects where that fails, as without memory. */
export async function isSlowPasswordOf(hash: SlowHash, password: Buffer): Promise<boolean> {
  switch (hash.kind) {
    case "pbkdf2": {
      // HMAC fills a short key up with zeros (RFC 2104 2), so it takes a password and the same with a NUL behind it for one.
      const isFilled = password.at(-1) === 0;
      const derived = await derive(password, decode(hash.salt), hash.iterations, HASH_BYTES, "sha512");
      return isEqual(derived, hash.hash) && !isFilled;
    }
    case "argon2id": {
      // The runtime says no to an empty password without computing anything, which would tell that the user is there.
      const isEmpty = password.length === 0;
      const isRight = await Bun.password.verify(isEmpty ? SOMETHING : password, formatHash(hash));
      return isRight && !isEmpty;
    }
  }
}

const derive = promisify(pbkdf2);

function bad(message: string): HashRead {
  return { kind: "bad", message };
}

function isEqual(derived: Buffer, hash: string): boolean {
  return timingSafeEqual(derived, decode(hash));
}

function decode(text: string): Buffer {
  return Buffer.from(text, "base64");
}

function saltOf(text: string): string | null {
  return SALT_BYTES.some((size) => base64(text, size, size) !== null) ? text : null;
}

/** The text, if it is standard base64 of so many bytes, with or without its padding; null otherwise. */
function base64(text: string, least: number, most: number): string | null {
  if (text.length > Math.ceil(most / 3) * 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const end = text.indexOf("=");
  const digits = end < 0 ? text.length : end;
  // One digit alone behind groups of four holds no byte; padding fills the last group.
  if (end < 0 ? digits % 4 === 1 : text.length % 4 !== 0) return null;
  const bytes = Math.floor((digits * 3) / 4);
  return bytes >= least && bytes <= most ? text : null;
}

/** Without padding, and with zeros in what is left of the last digit. */
function bare(text: string | null): string | null {
  return text === null ? null : decode(text).toString("base64").replace(/=+$/, "");
}
