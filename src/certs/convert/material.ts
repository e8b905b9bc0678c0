// What `sluice certs convert` carries from one file into another: private keys with their chains, and certificates that stand alone.

import type { X509Certificate } from "node:crypto";
import type { StoreType } from "../../keystores/store.ts";

export type Format = "PEM" | "DER" | StoreType;

export interface Part {
  /** null where the file gives none. */
  readonly alias: string | null;
  /** The private key in PKCS#8 DER; null for certificates that come without one. */
  readonly pkcs8: Buffer | null;
  /** The key's own one first and its chain behind it; none for a key alone, one where there is no key. */
  readonly certificates: readonly X509Certificate[];
}

export interface Material {
  readonly format: Format;
  readonly parts: readonly Part[];
  /** What is not carried over, or should be known; for people. */
  readonly notes: readonly string[];
}

/** Why a file cannot be converted. The message is for who typed the command and quotes no secret. */
export class CannotConvert extends Error {}

/** A password opens what is locked: the store's, or else the key's own. */
export class Locked extends CannotConvert {
  readonly wants: "store" | "key";

  constructor(wants: "store" | "key", message: string) {
    super(message);
    this.wants = wants;
  }
}

/** How messages call a part. */
export function nameOf({ alias, certificates }: Part): string {
  if (alias !== null) return JSON.stringify(alias);
  return certificates[0] === undefined ? "a private key" : `the certificate of ${titleOf(certificates[0])}`;
}

/** A certificate in a line. */
export function titleOf({ subject }: X509Certificate): string {
  // The published type knows no certificate without a subject.
  return (subject as string | undefined)?.replaceAll("\n", ", ") || "(no name)";
}
