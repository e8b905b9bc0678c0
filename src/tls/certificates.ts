// Which certificate serves a name: exact before wildcard, then the default one; of several for a name, one that the client can verify.

import type { CertifiedKey } from "../certs/pem.ts";
import type { KeyType } from "../certs/private-key.ts";

/** What a client says of the certificates that it can verify. */
export interface SignatureOffer {
  /** signature_algorithms of its hello (RFC 8446 4.2.3); empty if it sent none. */
  readonly signatureAlgorithms: readonly number[];
  /** What its cipher suites before TLS 1.3 ask for: these name the certificate's kind as well. */
  readonly suites: "any" | "ecdsa" | "rsa";
}

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

  /** The certificate for a lower-case name, or null: the default one is asked for separately, because sniStrict forbids it. */
  find(name: string, offer: SignatureOffer): CertifiedKey | null {
    const certificates = this.forName(name);
    return certificates.length === 0 ? null : choose(certificates, offer);
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

/** Who sends no signature_algorithms is older than TLS 1.2 and gets RSA, if there is one. */
function choose(certificates: readonly CertifiedKey[], { signatureAlgorithms, suites }: SignatureOffer): CertifiedKey {
  if (certificates.length === 1) return certificates[0]!;
  const suitable = certificates.filter(({ keyType }) => suites === "any" || (suites === "rsa") === (keyType === "rsa"));
  const [first] = suitable;
  if (first === undefined) return certificates[0]!;
  if (signatureAlgorithms.length === 0) return suitable.find((each) => each.keyType === "rsa") ?? first;
  for (const certificate of suitable)
    if (SCHEMES[certificate.keyType].some((scheme) => signatureAlgorithms.includes(scheme))) return certificate;
  return first;
}
