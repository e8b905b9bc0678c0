// TLS contexts, built on first use and shared by all connections with the same options and the same certificate.
//
// A context carries the session tickets, so it is cached by content: a reload that does not touch a route's options or certificate
// leaves its tickets valid, and two routes share tickets only if every rule about clients is the same.

import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { CertifiedKey } from "../certs/pem.ts";
import { DEFAULT_CIPHERS, inPreference } from "./names.ts";
import { type ServerTlsOptions, verifies } from "./options.ts";

export class ContextCache {
  /** By options, then by certificate. */
  readonly #contexts = new Map<string, Map<string, SecureContext["context"]>>();

  /** @throws BoringSSL's error, when the pair passed the master's checks but does not load. */
  get(options: ServerTlsOptions, certificate: CertifiedKey): SecureContext["context"] {
    let byCertificate = this.#contexts.get(options.key);
    if (byCertificate === undefined) this.#contexts.set(options.key, (byCertificate = new Map()));
    let context = byCertificate.get(certificate.hash);
    if (context === undefined) {
      const wanted: SecureContextOptions = {
        cert: certificate.cert,
        key: certificate.key,
        minVersion: options.minVersion,
        maxVersion: options.maxVersion,
        ciphers: inPreference(options.ciphers ?? DEFAULT_CIPHERS),
        honorCipherOrder: true,
      };
      if (options.curves !== null) wanted.ecdhCurve = options.curves;
      if (verifies(options.clientAuth)) wanted.ca = options.clientCa;
      // BoringSSL completes a chain of one from its store of authorities, at every handshake; the default store looks for files under
      // /etc/ssl/certs each time. A store of our own has nothing to look for. Only where no client reads its names in a request.
      else if (options.clientAuth === "NoClientCert") wanted.ca = certificate.cert;
      context = createSecureContext(wanted).context;
      byCertificate.set(certificate.hash, context);
    }
    return context;
  }

  /** Forgets what a new snapshot no longer has. */
  prune(options: ReadonlySet<string>, certificates: { has(hash: string): boolean }): void {
    for (const [key, byCertificate] of this.#contexts) {
      if (!options.has(key)) this.#contexts.delete(key);
      else for (const hash of byCertificate.keys()) if (!certificates.has(hash)) byCertificate.delete(hash);
    }
  }

  get size(): number {
    let size = 0;
    for (const byCertificate of this.#contexts.values()) size += byCertificate.size;
    return size;
  }
}
