// What an account's key signs (RFC 7515, as RFC 8555 6.2 wants it): requests, answers to challenges, and who vouches for it.

import { createHash, createHmac, createPublicKey, type KeyObject, sign } from "node:crypto";

export class Signer {
  readonly #key: KeyObject;
  readonly #jwk: Record<string, string>;
  readonly #algorithm: "RS256" | "ES256" | "ES384";

  /** `key` is RSA, P-256 or P-384. */
  constructor(key: KeyObject) {
    this.#key = key;
    this.#jwk = jwkOf(key);
    this.#algorithm = this.#jwk.kty === "RSA" ? "RS256" : this.#jwk.crv === "P-384" ? "ES384" : "ES256";
  }

  /** The body of a request. It says who signs by the account's URL, or by the key itself where there is no account yet. */
  request(url: string, nonce: string, payload: object | null, by: { readonly account: string | null } | "key"): string {
    const identity = by === "key" ? { jwk: this.#jwk } : { kid: by.account };
    const head = encode({ alg: this.#algorithm, nonce, url, ...identity });
    const body = payload === null ? "" : encode(payload);
    return JSON.stringify({ protected: head, payload: body, signature: this.#sign(`${head}.${body}`) });
  }

  /** What a challenge is answered with (RFC 8555 8.1). */
  keyAuthorization(token: string): string {
    const canonical = JSON.stringify(
      Object.fromEntries(Object.entries(this.#jwk).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    return `${token}.${createHash("sha256").update(canonical).digest("base64url")}`;
  }

  /** The key of an account elsewhere vouches for ours (RFC 8555 7.3.4). */
  bind(url: string, { kid, hmac }: { kid: string; hmac: Buffer }): Record<string, string> {
    const head = encode({ alg: "HS256", kid, url });
    const payload = encode(this.#jwk);
    return {
      protected: head,
      payload,
      signature: createHmac("sha256", hmac).update(`${head}.${payload}`).digest("base64url"),
    };
  }

  #sign(text: string): string {
    if (this.#algorithm === "RS256") return sign("sha256", Buffer.from(text), this.#key).toString("base64url");
    const key = { key: this.#key, dsaEncoding: "ieee-p1363" } as const;
    return sign(this.#algorithm === "ES384" ? "sha384" : "sha256", Buffer.from(text), key).toString("base64url");
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The public key as RFC 7638 wants it: only the members that count. */
function jwkOf(key: KeyObject): Record<string, string> {
  const { kty, crv, x, y, n, e } = createPublicKey(key).export({ format: "jwk" }) as Record<string, string>;
  return kty === "RSA" ? { e: e!, kty, n: n! } : { crv: crv!, kty: kty!, x: x!, y: y! };
}
