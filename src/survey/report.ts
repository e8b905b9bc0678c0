// What `sluice certs check` says of a server: the fields of its JSON.

import type { CertificateReport } from "../certs/inspect/report.ts";
import type { TlsVersion } from "../wire/probe-hello.ts";

/** What `certs check --json` prints. Fields and codes are added, never renamed or removed. */
export interface ServerReport {
  /** host:port as it was asked for. */
  readonly server: string;
  /** The IP address that answered; null: none did. */
  readonly address: string | null;
  /** SNI; null: none was sent. */
  readonly serverName: string | null;
  /** Whom it was verified against: "public", or the file of authorities. */
  readonly authorities: string;
  /** null where no TLS is spoken; the other fields then are too. */
  readonly tls: TlsReport | null;
  /** What keeps clients out. */
  readonly problems: readonly Finding[];
  /** What some clients cannot do with, or what will be a problem one day. */
  readonly notes: readonly Finding[];
}

export interface Finding {
  readonly code: ProblemCode | NoteCode;
  readonly message: string;
  /** What helps, as a sentence. */
  readonly remedy: string;
}

export interface TlsReport {
  readonly versions: readonly VersionReport[];
  /** The protocol that it chose of `mqtt`; null: none. "refused": it lets nobody in who offers that. */
  readonly alpn: string | null;
  /** In the order in which they came. */
  readonly certificates: readonly SentCertificate[];
  /** Bytes of the Certificate message; 0: it could not be read. */
  readonly certificateBytes: number;
  /** Bytes of content of the longest record of the handshake. */
  readonly longestRecord: number;
  /** Whether it keeps to records of 512 bytes when it is asked: "unknown" where its records were that short anyway. */
  readonly shortRecords: { readonly maxFragmentLength: Kept; readonly recordSizeLimit: Kept };
  /** The subject of the authority that it leads to; null: it is not trusted. */
  readonly trustedBy: string | null;
  /** What a client sees that sends no server name; null where none was sent anyway. */
  readonly withoutName: WithoutName | null;
  readonly status: {
    /** A proof of its status (OCSP) comes with the certificate. */
    readonly stapled: boolean;
    readonly mustStaple: boolean;
    readonly ocsp: readonly string[];
    readonly lists: readonly string[];
  };
  readonly client: ClientReport;
}

export type Kept = "yes" | "no" | "unknown";
export type WithoutName = "same" | "other" | "refused" | "unknown";

export interface VersionReport {
  readonly version: TlsVersion;
  /** "unclear": neither taken nor refused by an alert. */
  readonly accepted: "yes" | "no" | "unclear";
  readonly cipher: string | null;
  /** Of the key exchange: a group, or `DH 2048`. */
  readonly group: string | null;
}

export interface SentCertificate extends CertificateReport {
  /** How its issuer signed it, such as `ecdsa-with-SHA256`; an OID where the runtime has no name. */
  readonly signature: string;
  /** Negative when it has expired; null where its date is none. */
  readonly daysLeft: number | null;
}

export interface ClientReport {
  /** It asks clients for a certificate. */
  readonly asked: boolean;
  /** Of which authorities (RFC 4514); none: it does not say. */
  readonly authorities: readonly string[];
  /** Whether the client of this check got in, with the certificate that it was given or without one; null: that was not seen. */
  readonly letIn: boolean | null;
  /** Why not, as the TLS library has it. */
  readonly reason: string | null;
}

export type ProblemCode =
  // No answer that could be looked at.
  | "name-unknown"
  | "no-dns"
  | "refused"
  | "no-answer"
  | "unreachable"
  | "silent"
  | "closes"
  | "plain-mqtt"
  | "not-tls"
  | "no-handshake"
  | "server-name-unknown"
  | "out-of-time"
  | "certificates-unreadable"
  // The certificates.
  | "untrusted"
  | "chain-incomplete"
  | "chain-order"
  | "chain-refused"
  | "signature-wrong"
  | "name-mismatch"
  | "without-names"
  | "expired"
  | "not-yet-valid"
  | "not-for-servers"
  | "short-rsa"
  | "weak-signature"
  | "must-staple"
  // The handshake.
  | "handshake-failed"
  | "client-refused";

export type NoteCode =
  | "expires-soon"
  | "long-lived"
  | "wildcard"
  | "rare-key"
  | "large-rsa"
  | "long-chain"
  | "split-certificates"
  | "large-records"
  | "root-sent"
  | "unrelated-sent"
  | "old-versions"
  | "no-tls12"
  | "version-unclear"
  | "no-forward-secrecy"
  | "needs-server-name"
  | "alpn-refused"
  | "client-required"
  | "client-not-asked"
  | "client-issuer-not-named"
  | "status-online"
  | "closes-after-handshake";
