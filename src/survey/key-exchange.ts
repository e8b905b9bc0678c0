// The keys of TLS 1.3 on the side of a client that only listens (RFC 8446 7.1): what opens the server's part of the handshake. That the
// server holds the key of its certificate is not proved by this; a whole handshake by the TLS library does that beside it.

import {
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
} from "node:crypto";
import { expandLabel, type SuiteHash } from "../tls/expand-label.ts";
import type { KeyShare } from "../wire/probe-hello.ts";
import type { ServerHello, Unseal } from "../wire/server-flight.ts";

interface Suite {
  readonly hash: SuiteHash;
  readonly cipher: "aes-128-gcm" | "aes-256-gcm";
  readonly keyLength: number;
}

/** Those whose records can be opened here: the runtime's node:crypto has no ChaCha20-Poly1305. */
const SUITES: ReadonlyMap<number, Suite> = new Map([
  [0x1301, { hash: "sha256", cipher: "aes-128-gcm", keyLength: 16 }],
  [0x1302, { hash: "sha384", cipher: "aes-256-gcm", keyLength: 32 }],
]);
export const OPENABLE_SUITES: readonly number[] = [...SUITES.keys()];

const X25519 = 29;
const CURVES = [
  [23, "prime256v1"],
  [24, "secp384r1"],
  [25, "secp521r1"],
] as const;
/** SubjectPublicKeyInfo of an X25519 key (RFC 8410 4) up to the key itself. */
const X25519_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
const TAG = 16;
const IV = 12;

/** Key shares of every group that is offered, so that no server has to ask for another hello. */
export class KeyExchange {
  readonly shares: readonly KeyShare[];
  readonly #secrets = new Map<number, (theirs: Uint8Array) => Buffer>();

  constructor() {
    const shares: KeyShare[] = [];
    const { privateKey, publicKey } = generateKeyPairSync("x25519");
    const own = publicKey.export({ format: "der", type: "spki" }).subarray(X25519_PREFIX.length);
    shares.push({ group: X25519, key: own });
    this.#secrets.set(X25519, (theirs) => {
      const key = Buffer.concat([X25519_PREFIX, theirs]);
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: "der", type: "spki" }) });
    });
    for (const [group, curve] of CURVES) {
      const side = createECDH(curve);
      shares.push({ group, key: side.generateKeys() });
      this.#secrets.set(group, (theirs) => side.computeSecret(theirs));
    }
    this.shares = shares;
  }

  /** The way to open the records behind `hello`; null where its suite or share is none of ours. */
  unseal(clientHello: Uint8Array, hello: ServerHello): Unseal | null {
    const suite = SUITES.get(hello.suite);
    if (suite === undefined || hello.share === null) return null;
    let shared: Buffer | undefined;
    try {
      shared = this.#secrets.get(hello.share.group)?.(hello.share.key);
    } catch {
      // No point of that curve.
    }
    return shared === undefined
      ? null
      : opener(suite, handshakeSecret(suite.hash, shared, [clientHello, hello.message]));
  }
}

/** server_handshake_traffic_secret, without a pre-shared key. */
function handshakeSecret(hash: SuiteHash, shared: Buffer, hellos: readonly Uint8Array[]): Buffer {
  const digest = (parts: readonly Uint8Array[]): Buffer => {
    const hashing = createHash(hash);
    for (const part of parts) hashing.update(part);
    return hashing.digest();
  };
  const zeros = Buffer.alloc(digest([]).length);
  const extract = (salt: Buffer, input: Buffer): Buffer => createHmac(hash, salt).update(input).digest();
  const derived = expandLabel(hash, extract(zeros, zeros), "derived", zeros.length, digest([]));
  return expandLabel(hash, extract(derived, shared), "s hs traffic", zeros.length, digest(hellos));
}

/** Opens one record after the other (RFC 8446 5.2 and 5.3). */
function opener({ hash, cipher, keyLength }: Suite, secret: Buffer): Unseal {
  const key = expandLabel(hash, secret, "key", keyLength);
  const iv = expandLabel(hash, secret, "iv", IV);
  let sequence = 0;
  return (header, sealed) => {
    if (sealed.length < TAG) return null;
    const nonce = Buffer.from(iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(IV - 4) ^ sequence++) >>> 0, IV - 4);
    const opening = createDecipheriv(cipher, key, nonce);
    opening.setAAD(header);
    opening.setAuthTag(sealed.subarray(sealed.length - TAG));
    try {
      return Buffer.concat([opening.update(sealed.subarray(0, sealed.length - TAG)), opening.final()]);
    } catch {
      return null;
    }
  };
}
