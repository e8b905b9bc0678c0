// TLS contexts towards brokers, one per set of options.

import { createSecureContext, rootCertificates, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Transport } from "./service.ts";

/** Transports come from the configuration; former ones are dropped when this many have gathered. */
const LIMIT = 1000;

export class ClientContexts {
  readonly #contexts = new Map<string, SecureContext["context"]>();

  /** @throws BoringSSL's error when a certificate or key of the transport does not load. */
  get(tls: Transport["tls"]): SecureContext["context"] {
    const key = JSON.stringify([tls.ca, tls.cert, tls.key]);
    let context = this.#contexts.get(key);
    if (context === undefined) {
      const options: SecureContextOptions = { ca: tls.ca ?? [...rootCertificates] };
      if (tls.cert !== null && tls.key !== null) Object.assign(options, { cert: tls.cert, key: tls.key });
      context = createSecureContext(options).context;
      if (this.#contexts.size >= LIMIT) this.#contexts.clear();
      this.#contexts.set(key, context);
    }
    return context;
  }
}
