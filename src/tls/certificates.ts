// Which certificate serves a name: exact before wildcard, then the default one.

import type { CertifiedKey } from "../certs/pem.ts";

export class CertificateStore {
  readonly #exact = new Map<string, CertifiedKey>();
  /** Keyed by what follows the first label, with its dot: `.example.com` for `*.example.com`. */
  readonly #wildcard = new Map<string, CertifiedKey>();
  readonly #fallback: CertifiedKey | null;

  /** Each certificate with the names it shall serve: of two for one name, who configures keeps the name for one. */
  constructor(certificates: Iterable<CertifiedKey>, fallback: CertifiedKey | null) {
    this.#fallback = fallback;
    for (const certificate of certificates) {
      for (const name of certificate.names) {
        const [map, key] = name.startsWith("*.") ? [this.#wildcard, name.slice(1)] : [this.#exact, name];
        if (!map.has(key)) map.set(key, certificate);
      }
    }
  }

  /** The certificate for a lower-case name, or null: the default one is asked for separately, because sniStrict forbids it. */
  find(name: string): CertifiedKey | null {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    const dot = name.indexOf(".");
    return dot < 0 ? null : (this.#wildcard.get(name.slice(dot)) ?? null);
  }

  get fallback(): CertifiedKey | null {
    return this.#fallback;
  }
}
