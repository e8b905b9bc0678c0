// What every kind of key store gives, and the limits that keep a hostile one from costing time or memory.

export type StoreType = "PKCS12" | "JKS" | "JCEKS" | "BKS";

/** Why a store or a key in it cannot be read. `message` is for an operator and never quotes a secret. */
export interface StoreError {
  readonly kind: "error";
  readonly reason: "password" | "damaged" | "unsupported" | "limit";
  readonly message: string;
}

export interface StoreEntry {
  /** "" where the store gives none. */
  readonly alias: string;
  readonly kind: "key" | "certificate";
  /** DER. The key's own one first and its chain after it, as far as the store says so. */
  readonly certificates: readonly Buffer[];
  /** The private key in PKCS#8 DER, opened with its own password; null for a certificate. */
  readonly key: ((password: string) => { readonly kind: "ok"; readonly pkcs8: Buffer } | StoreError) | null;
}

export interface Store {
  readonly kind: "ok";
  readonly type: StoreType;
  readonly entries: readonly StoreEntry[];
  /** Certificates that belong to no entry of their own: PKCS#12 keeps chains so. DER. */
  readonly loose: readonly Buffer[];
  /** Entries that are neither, such as secret keys: they are passed over. */
  readonly others: number;
  /** The store's checksum was compared; false where it has none. */
  readonly verified: boolean;
}

/** Larger files are no key stores of a server. Bytes. */
export const MAX_STORE_BYTES = 4 * 1024 * 1024;
/** Entries, and certificates of a chain. */
export const MAX_ENTRIES = 10_000;
/**
 * Rounds of key derivation that a store may ask for until it is read, and again until a key is opened: half a second each. keytool asks
 * for 10 000 or 200 000 a part.
 */
export const MAX_ITERATIONS = 1_500_000;

/** A problem found while reading. Thrown and caught within the readers of stores. */
export class StoreProblem extends Error {
  readonly reason: StoreError["reason"];

  constructor(reason: StoreError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Rounds of key derivation are taken from a purse: one to read a store, one to open a key. */
export class Rounds {
  #left = MAX_ITERATIONS;

  /** @throws StoreProblem when the file asks for more than it may. */
  take(count: number): number {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new StoreProblem("damaged", "an iteration count is not positive");
    this.#left -= count;
    if (this.#left < 0)
      throw new StoreProblem(
        "limit",
        `its key derivation asks for more than ${MAX_ITERATIONS} iterations: write the store again with fewer`,
      );
    return count;
  }
}

/** What `read` gives, or its problem as a value; whatever else it throws means that the bytes are damaged. */
export function guarded<T>(read: () => T): T | StoreError {
  try {
    return read();
  } catch (error) {
    if (error instanceof StoreProblem) return { kind: "error", reason: error.reason, message: error.message };
    return { kind: "error", reason: "damaged", message: "it is damaged or truncated" };
  }
}
