// What `sluice certs show` says of a file of certificates or keys: the fields of its JSON.

import type { StoreType } from "../../keystores/store.ts";
import type { ChainEnd } from "../chain.ts";

/** What `certs show --json` prints. Fields and codes are added, never renamed or removed. */
export interface FileReport {
  readonly file: string;
  /** By its bytes, whatever the file is called; null when it is none of these or cannot be read. */
  readonly type: "PEM" | "DER" | StoreType | null;
  readonly entries: readonly EntryReport[];
  readonly lists: readonly ListReport[];
  /** Labels of PEM blocks that are none of these. */
  readonly others: readonly string[];
  /** What is wrong with the file as a whole; what is wrong with an entry is there. */
  readonly problems: readonly Problem[];
}

/** A list of revoked certificates. Who signed it is not looked at. */
export interface ListReport {
  /** RFC 4514. */
  readonly issuer: string;
  /** ISO 8601, UTC. */
  readonly thisUpdate: string;
  /** When the next one is due; null: not said. */
  readonly nextUpdate: string | null;
  /** Serial numbers in upper-case hexadecimal without leading zeros. */
  readonly revoked: readonly string[];
}

/** A certificate with its chain, a private key, or both. */
export interface EntryReport {
  /** null where the format has none, or it is empty. */
  readonly alias: string | null;
  /** The entry's own certificate first, then each one's issuer. */
  readonly certificates: readonly CertificateReport[];
  /** null without a certificate. */
  readonly chain: ChainReport | null;
  /** null when the entry has no private key. */
  readonly privateKey: PrivateKeyReport | null;
  readonly problems: readonly Problem[];
}

export interface CertificateReport {
  /** RFC 4514. */
  readonly subject: string;
  readonly issuer: string;
  /** "" when there is none. */
  readonly commonName: string;
  /** Subject alternative names. */
  readonly names: readonly { readonly kind: "DNS" | "IP" | "URI" | "email"; readonly value: string }[];
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** ISO 8601, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: KeyDescription;
  /** SHA-256 of the certificate, hexadecimal pairs with colons. */
  readonly fingerprint: string;
  /** The same of SHA-1, which older tools print. */
  readonly fingerprintSha1: string;
  readonly isAuthority: boolean;
}

export interface KeyDescription {
  /** "rsa", "ec", "ed25519" or another name of the runtime; "unknown" when it cannot be read. */
  readonly type: string;
  /** Of RSA; null for others. */
  readonly bits: number | null;
  /** Of EC; null for others. */
  readonly curve: string | null;
}

export interface ChainReport {
  /** The file has the certificates in the order that TLS wants; null where the format keeps none. Sluice serves them in order anyway. */
  readonly inOrder: boolean | null;
  /** It reaches a certificate that vouches for itself, in the file or among the public roots. */
  readonly complete: boolean;
  /** "self-signed": there is nothing but one certificate. "open": the last one's issuer is not known. */
  readonly end: ChainEnd["kind"];
  /** The public root, or the issuer that is not known; null otherwise. */
  readonly issuer: string | null;
}

export interface PrivateKeyReport extends KeyDescription {
  /** "locked": no password opened it. "unreadable": damaged, or of a kind that Sluice cannot use. */
  readonly state: "open" | "locked" | "unreadable";
  /** It belongs to the entry's own certificate; null when that cannot be told. */
  readonly belongs: boolean | null;
}

export interface Problem {
  readonly code:
    | "unreadable"
    | "cut-off"
    /** A list of revoked certificates is past its next update, or cannot be read. */
    | "list-due"
    | "list-unreadable"
    | "password"
    | "expired"
    | "expires-soon"
    | "not-yet-valid"
    | "chain-order"
    | "chain-incomplete"
    | "short-rsa"
    /** A server's certificate has no subject alternative name. */
    | "without-names"
    | "must-staple"
    /** Its key is of a kind that Sluice cannot serve with. */
    | "key-unsupported"
    | "key-mismatch"
    | "key-locked"
    | "key-unreadable"
    | "certificate-unreadable";
  readonly message: string;
}

/** Every problem of a report. */
export function problemsOf(report: FileReport): Problem[] {
  return [...report.problems, ...report.entries.flatMap((entry) => entry.problems)];
}
