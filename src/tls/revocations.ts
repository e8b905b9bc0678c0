// Looking a certificate up in the revocation lists of its route's options.

import type { RevocationList } from "../certs/crl.ts";
import type { CertificateIdentity } from "../certs/x509.ts";
import type { ServerTlsOptions } from "./options.ts";

/** `unknown`: its authority has no list here, or one that is past its next update, which then says nothing. */
export type RevocationVerdict = "good" | "revoked" | "unknown";

export class Revocations {
  readonly #lists: ReadonlyMap<string, { readonly serials: ReadonlySet<string>; readonly nextUpdate: number | null }>;

  constructor(lists: readonly RevocationList[]) {
    this.#lists = new Map(
      lists.map((list) => [list.issuer, { serials: new Set(list.serials), nextUpdate: list.nextUpdate }]),
    );
  }

  /** `now` in milliseconds since the epoch. A revoked certificate stays revoked, however old the list is. */
  judge({ issuer, serial }: Pick<CertificateIdentity, "issuer" | "serial">, now: number): RevocationVerdict {
    const list = this.#lists.get(issuer);
    if (list === undefined) return "unknown";
    if (list.serials.has(serial)) return "revoked";
    return list.nextUpdate !== null && list.nextUpdate < now ? "unknown" : "good";
  }
}

/** By the options that have them: made once in each worker, and gone with them. */
const made = new WeakMap<ServerTlsOptions, Revocations>();

/** The lists of these options, ready to be asked; null when they have none. */
export function revocationsOf(options: ServerTlsOptions): Revocations | null {
  if (options.revoked === null) return null;
  let revocations = made.get(options);
  if (revocations === undefined) made.set(options, (revocations = new Revocations(options.revoked)));
  return revocations;
}
