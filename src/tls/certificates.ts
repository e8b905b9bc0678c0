// Which certificate serves a name: exact before wildcard, then the default one; of several for a name, one that the client can verify.

import type { CertifiedKey } from "../certs/pem.ts";
import type { KeyType } from "../certs/private-key.ts";
import type { TlsVersion } from "./options.ts";

/** What a client says of the certificates that it can verify. */
export interface SignatureOffer {
  /** signature_algorithms of its hello (RFC 8446 4.2.3); empty if it sent none. */
  readonly signatureAlgorithms: readonly number[];
  /** What its cipher suites before TLS 1.3 ask for: these name the certificate's kind as well. */
  readonly suites: "any" | "ecdsa" | "rsa";
  /** supported_groups of its hello (RFC 8446 4.2.7); empty if it sent none. */
  readonly groups: readonly number[];
  /** supported_versions of its hello; empty before TLS 1.3. */
  readonly versions: readonly number[];
}

const TLS13 = 0x0304;

/** The order in which the certificates of one name are offered: ECDSA is the cheapest for server and device. */
const PREFERENCE: readonly KeyType[] = ["p256", "ed25519", "p384", "p521", "rsa"];

/** signature_algorithms with which each kind of key signs a handshake (RFC 8446 4.2.3, RFC 5246 7.4.1.4.1). */
export const SCHEMES: Readonly<Record<KeyType, readonly number[]>> = {
  // Before TLS 1.3 a scheme of ECDSA does not bind the curve, so any of them will do; sha1 is what TLS 1.0 and 1.1 sign with.
  p256: [0x0403, 0x0503, 0x0603, 0x0203],
  p384: [0x0503, 0x0403, 0x0603, 0x0203],
  p521: [0x0603, 0x0503, 0x0403, 0x0203],
  ed25519: [0x0807],
  rsa: [0x0804, 0x0401, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201],
};

/** TLS 1.3 binds the curve to the scheme, and signs no handshake with PKCS#1 (RFC 8446 4.2.3). */
const SCHEMES_13: typeof SCHEMES = {
  p256: [0x0403],
  p384: [0x0503],
  p521: [0x0603],
  ed25519: [0x0807],
  rsa: [0x0804, 0x0805, 0x0806],
};

/** supported_groups by the kind of key: before TLS 1.3 they name the curves of certificates too (RFC 8422 5.1.1). */
export const GROUPS: Partial<Record<KeyType, number>> = { p256: 23, p384: 24, p521: 25 };

const NONE: readonly never[] = [];

/** The name in the certificate that Sluice makes at each start: one that no client can mean (RFC 6761 6.4). */
export const DEFAULT_NAME = "sluice.invalid";

export class CertificateStore {
  readonly #exact = new Map<string, CertifiedKey[]>();
  /** Keyed by what follows the first label, with its dot: `.example.com` for `*.example.com`. */
  readonly #wildcard = new Map<string, CertifiedKey[]>();
  readonly #fallback: CertifiedKey | null;

  /** Each certificate with the names it shall serve: of two with one kind of key for a name, who configures keeps the name for one. */
  constructor(certificates: Iterable<CertifiedKey>, fallback: CertifiedKey | null) {
    this.#fallback = fallback;
    for (const certificate of certificates) {
      for (const name of certificate.names) {
        const [map, key] = name.startsWith("*.") ? [this.#wildcard, name.slice(1)] : [this.#exact, name];
        const list = map.get(key);
        if (list === undefined) map.set(key, [certificate]);
        else {
          list.push(certificate);
          list.sort((a, b) => PREFERENCE.indexOf(a.keyType) - PREFERENCE.indexOf(b.keyType));
        }
      }
    }
  }

  /**
   * The certificate for a lower-case name, or null: the default one is asked for separately, because sniStrict forbids it.
   * `highest` is the highest version that is spoken here.
   */
  find(name: string, offer: SignatureOffer, highest: TlsVersion): CertifiedKey | null {
    const certificates = this.forName(name);
    if (certificates.length < 2) return certificates[0] ?? null;
    return choose(certificates, offer, highest === "TLSv1.3" && offer.versions.includes(TLS13));
  }

  /** All certificates among which a client that asks for this name gets one: those for the name itself, else those with a wildcard. */
  forName(name: string): readonly CertifiedKey[] {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    const dot = name.indexOf(".");
    return (dot < 0 ? undefined : this.#wildcard.get(name.slice(dot))) ?? NONE;
  }

  get fallback(): CertifiedKey | null {
    return this.#fallback;
  }
}

/** The wildcard that takes a name; "" for a name of one label, which none does. */
export function wildcardOf(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? "" : `*${name.slice(dot)}`;
}

/** The first that the client can verify. Who can verify none may verify nothing at all: it gets RSA, which most can. */
function choose(certificates: readonly CertifiedKey[], offer: SignatureOffer, isTls13: boolean): CertifiedKey {
  const rsa = certificates.find(({ keyType }) => keyType === "rsa");
  const verifiable = certificates.filter(({ keyType }) => {
    if (!isTls13 && !fitsHello12(keyType, offer)) return false;
    const schemes = (isTls13 ? SCHEMES_13 : SCHEMES)[keyType];
    return (
      offer.signatureAlgorithms.length === 0 || schemes.some((scheme) => offer.signatureAlgorithms.includes(scheme))
    );
  });
  // Who sends no signature_algorithms is older than TLS 1.2.
  if (offer.signatureAlgorithms.length === 0 && rsa !== undefined && verifiable.includes(rsa)) return rsa;
  return verifiable[0] ?? rsa ?? certificates[0]!;
}

/** Before TLS 1.3 the suites name a kind of certificate, and the groups its curve. */
function fitsHello12(keyType: KeyType, { suites, groups }: SignatureOffer): boolean {
  if (suites !== "any" && (suites === "rsa") !== (keyType === "rsa")) return false;
  const group = GROUPS[keyType];
  return group === undefined || groups.includes(group);
}
