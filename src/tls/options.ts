// How TLS is spoken with a route's clients: plain data, identified by its content. Made of tls.options by compile-options.ts.

import { createHash } from "node:crypto";
import type { RevocationList } from "../certs/crl.ts";

export type ClientAuthType =
  | "NoClientCert"
  | "RequestClientCert"
  | "RequireAnyClientCert"
  | "VerifyClientCertIfGiven"
  | "RequireAndVerifyClientCert";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

export interface ServerTlsOptions {
  /** SHA-256 over all the rest: contexts and their session tickets are kept apart by it. */
  readonly key: string;
  /** The same without what is judged after a handshake: where it is equal, one has shown what the other would have. */
  readonly handshakeKey: string;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's names with colons between them, or null for DEFAULT_CIPHERS. */
  readonly ciphers: string | null;
  readonly curves: string | null;
  /** null: answer `mqtt` when it is offered, accept anything else. */
  readonly alpn: readonly string[] | null;
  readonly sniStrict: boolean;
  /** Bytes of content in a record to a client that does not say how many it takes; 0: as many as TLS allows. */
  readonly maxRecordSize: number;
  readonly clientAuth: ClientAuthType;
  /** The client CAs in PEM; "" when there are none. */
  readonly clientCa: string;
  /** What the client CAs have revoked; null: it is not asked for. */
  readonly revoked: readonly RevocationList[] | null;
  /** Live connections are closed too when their certificate is revoked. */
  readonly closeRevoked: boolean;
  /** Patterns (see client-names.ts) of which one must match; none: any name will do. */
  readonly allowedNames: readonly string[];
}

/** Traefik's `default` options where the configuration has none: TLS 1.2 and 1.3, forward secrecy, everything else the library's choice. */
export const DEFAULT_OPTIONS: ServerTlsOptions = identify({
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: null,
  curves: null,
  alpn: null,
  sniStrict: false,
  maxRecordSize: 0,
  clientAuth: "NoClientCert",
  clientCa: "",
  revoked: null,
  closeRevoked: false,
  allowedNames: [],
});

/** The options with their keys. */
export function identify(options: Omit<ServerTlsOptions, "key" | "handshakeKey">): ServerTlsOptions {
  const handshake = { ...options, revoked: null, closeRevoked: null, allowedNames: null };
  return { key: hashOf(options), handshakeKey: hashOf(handshake), ...options };
}

function hashOf(options: object): string {
  return createHash("sha256").update(JSON.stringify(options)).digest("hex");
}

/** Whether a client's certificate is checked against the client CAs. */
export function verifies(type: ClientAuthType): boolean {
  return type === "VerifyClientCertIfGiven" || type === "RequireAndVerifyClientCert";
}

/** The least that BoringSSL splits records into (SSL_set_max_send_fragment). */
const MIN_RECORD = 512;
/** The most that TLS has (RFC 8446 5.1). GnuTLS and NSS always say that they take it, which limits nothing. */
const MAX_RECORD = 16_384;

/** The longest record for a client, in bytes of content, by what is configured and what it asks for; 0 is no limit in all three. */
export function maxRecord(configured: number, asked: number): number {
  if (configured === 0 && asked === 0) return 0;
  const least = Math.max(MIN_RECORD, Math.min(configured || asked, asked || configured));
  return least >= MAX_RECORD ? 0 : least;
}
