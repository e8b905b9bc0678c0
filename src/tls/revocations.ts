// Looking a client up in the revocation lists of its route's options.
//
// The runtime gives the client's own certificate and nothing of the chain behind it, neither after a full handshake nor after a
// resumed one (test/slow/revocation.test.ts has an intermediate authority). So the way up is looked for among the client CAs, by
// name and signature: a certificate whose authority is not among them cannot be checked, and is refused.

import { createHash, type X509Certificate } from "node:crypto";
import type { RevocationList } from "../certs/crl.ts";
import { hasSigned } from "../certs/issuers.ts";
import { ownCertificates } from "../certs/pem.ts";
import { type CertificateIdentity, identityOf } from "../certs/x509.ts";

/** `unknown`: a list is missing on the way up, or is past its next update, which then says nothing. */
export type RevocationVerdict = "good" | "revoked" | "unknown";

/** What a list knows a certificate by, and the key that signed it. */
export interface Revocable extends Pick<CertificateIdentity, "issuer" | "serial"> {
  /** SHA-256 of the public key. */
  readonly signer: string;
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly identity: CertificateIdentity;
  readonly key: string;
}

/** Longer chains are not built. */
const MAX_CHAIN = 10;

export class Revocations {
  readonly #lists: ReadonlyMap<string, RevocationList & { readonly set: ReadonlySet<string> }>;
  /** By the name of their subject. */
  readonly #authorities = new Map<string, Authority[]>();
  /** How an authority's certificates are revoked themselves, by name and key; null: it is trusted for itself, as a root. */
  readonly #above = new Map<string, readonly Revocable[] | null>();

  constructor(lists: readonly RevocationList[], authorities: readonly X509Certificate[]) {
    this.#lists = new Map(lists.map((list) => [list.issuer, { ...list, set: new Set(list.serials) }]));
    for (const certificate of authorities) {
      const identity = identityOf(certificate.raw);
      if (identity === null) continue;
      const spki = certificate.publicKey.export({ type: "spki", format: "der" });
      const key = createHash("sha256").update(spki).digest("base64");
      const known = this.#authorities.get(identity.subject) ?? [];
      this.#authorities.set(identity.subject, [...known, { certificate, identity, key }]);
    }
    for (const [subject, certificates] of this.#authorities)
      for (const { key } of certificates) {
        const same = certificates.filter((each) => each.key === key);
        const isRoot = same.some(({ identity }) => identity.issuer === subject);
        const above = same.map(({ certificate }) => this.identify(certificate)).filter((each) => each !== null);
        this.#above.set(`${subject} ${key}`, isRoot ? null : above);
      }
  }

  /** null when none of the authorities has signed it. */
  identify(certificate: X509Certificate): Revocable | null {
    const identity = identityOf(certificate.raw);
    if (identity === null) return null;
    const { issuer, serial } = identity;
    const signer = this.#authorities.get(issuer)?.find((each) => hasSigned(each.certificate, certificate))?.key;
    return signer === undefined ? null : { issuer, serial, signer };
  }

  /** `now` in milliseconds since the epoch. What is revoked stays revoked, however old the list is. */
  judge(certificate: Revocable, now: number): RevocationVerdict {
    return this.#judge(certificate, now, 1);
  }

  #judge({ issuer, serial, signer }: Revocable, now: number, depth: number): RevocationVerdict {
    if (depth > MAX_CHAIN) return "unknown";
    const list = this.#lists.get(issuer);
    if (list?.set.has(serial)) return "revoked";
    const covered = list !== undefined && !isOver(list, now) && !(depth > 1 && list.usersOnly);
    const above = this.#above.get(`${issuer} ${signer}`);
    if (above === null) return covered ? "good" : "unknown";
    // An authority may have several certificates for its key. One that is revoked taints the key.
    const verdicts = (above ?? []).map((each) => this.#judge(each, now, depth + 1));
    if (verdicts.includes("revoked")) return "revoked";
    return covered && verdicts.length > 0 && !verdicts.includes("unknown") ? "good" : "unknown";
  }
}

function isOver(list: RevocationList, now: number): boolean {
  return list.nextUpdate !== null && list.nextUpdate < now;
}

/** What of TLS options says who is revoked. */
interface RevokingOptions {
  /** PEM. */
  readonly clientCa: string;
  readonly revoked: readonly RevocationList[] | null;
}

/** By the options that have them: made once in each worker, and gone with them. */
const made = new WeakMap<RevokingOptions, Revocations>();

/** The lists of these options, ready to be asked; null when they have none. */
export function revocationsOf(options: RevokingOptions): Revocations | null {
  if (options.revoked === null) return null;
  let revocations = made.get(options);
  if (revocations === undefined) {
    made.set(options, (revocations = new Revocations(options.revoked, ownCertificates(options.clientCa))));
  }
  return revocations;
}
