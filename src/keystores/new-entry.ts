// What a writer puts into a store, and what no store can hold.

import type { KeyObject } from "node:crypto";
import { MAX_ENTRIES } from "./store.ts";

export interface NewEntry {
  readonly alias: string;
  /** The private key; null for a certificate that is trusted. A buffer is PKCS#8 in DER, of whatever kind of key. */
  readonly key: KeyObject | Buffer | null;
  /** DER. The key's own one first, and its chain after it; a trusted certificate is alone. */
  readonly certificates: readonly Buffer[];
}

/** An entry that can be written: it has what its kind needs, and an alias that no other one has. */
export type SoundEntry =
  | { readonly kind: "key"; readonly alias: string; readonly pkcs8: Buffer; readonly certificates: readonly Buffer[] }
  | { readonly kind: "certificate"; readonly alias: string; readonly certificate: Buffer };

/** What the format cannot hold. The message is for an operator and quotes no secret. */
export class CannotWrite extends Error {}

/** Java asks for an alias in lower case, in whatever case it was given, so one with a capital letter would never be found. */
export const lowerCase = (alias: string): string => alias.toLowerCase();
export const asGiven = (alias: string): string => alias;

/** Checks entries, with their aliases as `folded` makes them. @throws CannotWrite */
export function soundEntries(entries: readonly NewEntry[], folded: (alias: string) => string): SoundEntry[] {
  if (entries.length > MAX_ENTRIES) throw new CannotWrite(`a store has at most ${MAX_ENTRIES} entries`);
  const seen = new Set<string>();
  return entries.map(({ alias: given, key, certificates }) => {
    const alias = folded(given);
    if (seen.has(alias)) throw new CannotWrite(`two entries have the alias ${JSON.stringify(alias)}`);
    seen.add(alias);
    const [own] = certificates;
    if (own === undefined) throw new CannotWrite(`the entry ${JSON.stringify(alias)} has no certificate`);
    if (key !== null) return { kind: "key", alias, pkcs8: pkcs8Of(key), certificates };
    if (certificates.length > 1)
      throw new CannotWrite(
        `the entry ${JSON.stringify(alias)} has a chain and no key: a trusted certificate is alone`,
      );
    return { kind: "certificate", alias, certificate: own };
  });
}

function pkcs8Of(key: KeyObject | Buffer): Buffer {
  return Buffer.isBuffer(key) ? key : (key.export({ type: "pkcs8", format: "der" }) as Buffer);
}
