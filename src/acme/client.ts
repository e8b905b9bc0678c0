// The client side of ACME (RFC 8555, RFC 9773), as far as obtaining certificates needs it. A library was looked at first: acme-client
// shares one HTTP stack among all its clients, so resolvers could not trust different authorities, and its errors have neither the
// problem's type nor Retry-After, which deciding when to try again needs.

import type { KeyObject } from "node:crypto";
import { Signer } from "./jws.ts";
import { AcmeError, type Problem, problemOf, retryAfter } from "./problem.ts";

/** How a resolver reaches its authority. Times in milliseconds. */
export interface AcmeEndpoint {
  /** The directory's URL. */
  readonly directory: string;
  /** Trusted in PEM; null: the public authorities. */
  readonly ca: string | null;
  /** The name to ask for and to check, if it is not the URL's. */
  readonly serverName: string | null;
  /** For a whole exchange. */
  readonly timeoutMs: number;
  readonly userAgent: string;
}

export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  /** RFC 9773; absent where the authority has none. */
  readonly renewalInfo?: string;
  readonly meta?: { readonly externalAccountRequired?: boolean; readonly profiles?: Readonly<Record<string, string>> };
}

export interface Order {
  readonly url: string;
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid";
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: Problem;
}

export interface Authorization {
  readonly identifier: { readonly type: string; readonly value: string };
  readonly status: "pending" | "valid" | "invalid" | "deactivated" | "expired" | "revoked";
  readonly wildcard?: boolean;
  readonly challenges: readonly Challenge[];
}

export interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token: string;
  readonly status: string;
  readonly error?: Problem;
}

/** Answers are small; a certificate with its chain is the largest. Bytes. */
const MAX_ANSWER = 1024 * 1024;
/** How often a request is repeated with the nonce that the authority sent with its refusal (RFC 8555 6.5). */
const MAX_NONCES = 8;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class AcmeClient {
  readonly #endpoint: AcmeEndpoint;
  readonly #signer: Signer;
  #directory: Directory | null = null;
  #nonce: string | null = null;
  /** The account's URL, once it is known. */
  #account: string | null;

  /** `key` is the account's: RSA, P-256 or P-384. */
  constructor(endpoint: AcmeEndpoint, key: KeyObject, account: string | null) {
    this.#endpoint = endpoint;
    this.#account = account;
    this.#signer = new Signer(key);
  }

  async directory(): Promise<Directory> {
    if (this.#directory === null) {
      const answer = await this.#fetch(this.#endpoint.directory, { method: "GET" });
      const directory = parseJson<Directory>(answer, this.#endpoint.directory);
      for (const field of ["newNonce", "newAccount", "newOrder"] as const)
        if (typeof directory[field] !== "string")
          throw new AcmeError("odd-answer", `${this.#endpoint.directory} is no ACME directory: it has no ${field}`);
      this.#directory = directory;
    }
    return this.#directory;
  }

  /** Makes the account, or finds the one that the key has already (RFC 8555 7.3, 7.3.4). */
  async register(
    email: string,
    binding: { readonly kid: string; readonly hmac: Buffer } | null,
  ): Promise<{ uri: string; body: unknown }> {
    const { newAccount, meta } = await this.directory();
    if (meta?.externalAccountRequired && binding === null)
      throw new AcmeError(
        "externalAccountRequired",
        "the authority wants an account of its own: give eab.kid and eab.hmacEncoded",
      );
    const payload: Record<string, unknown> = { termsOfServiceAgreed: true };
    if (email !== "") payload.contact = [`mailto:${email}`];
    if (binding !== null) payload.externalAccountBinding = this.#signer.bind(newAccount, binding);
    const answer = await this.#post(newAccount, payload, "key");
    const uri = answer.headers.get("location");
    if (uri === null) throw new AcmeError("odd-answer", "the authority made an account and did not say where it is");
    this.#account = uri;
    return { uri, body: parseJson(answer, newAccount) };
  }

  /** Orders a certificate for these names; `replaces` is the one that it renews (RFC 9773 5). */
  async order(names: readonly string[], options: { profile?: string; replaces?: string } = {}): Promise<Order> {
    const { newOrder } = await this.directory();
    const identifiers = names.map((value) => ({ type: "dns", value }));
    const answer = await this.#post(newOrder, { identifiers, ...options });
    const url = answer.headers.get("location");
    if (url === null) throw new AcmeError("odd-answer", "the authority took an order and did not say where it is");
    return { ...parseJson<Omit<Order, "url">>(answer, newOrder), url };
  }

  async authorization(url: string): Promise<Authorization> {
    return parseJson<Authorization>(await this.#post(url, null), url);
  }

  /** Tells the authority that a challenge can be looked at. */
  async answer(challenge: Challenge): Promise<void> {
    await this.#post(challenge.url, {});
  }

  /** What a challenge is answered with (RFC 8555 8.1). */
  keyAuthorization(token: string): string {
    return this.#signer.keyAuthorization(token);
  }

  /** Hands in the signing request, in DER. */
  async finalize(order: Order, csr: Buffer): Promise<void> {
    await this.#post(order.finalize, { csr: csr.toString("base64url") });
  }

  async orderAt(url: string): Promise<{ order: Order; retryAfterMs: number | null }> {
    const answer = await this.#post(url, null);
    return { order: { ...parseJson<Omit<Order, "url">>(answer, url), url }, retryAfterMs: retryAfter(answer.headers) };
  }

  /** The certificate's PEM, and where the authority has other chains for it (RFC 8555 7.4.2). */
  async certificate(url: string): Promise<{ pem: string; alternates: string[] }> {
    const answer = await this.#post(url, null);
    const links = answer.headers.get("link") ?? "";
    const alternates = [...links.matchAll(/<([^>]{1,2000})>\s*;\s*rel="?alternate"?/g)].map((match) => match[1]!);
    return { pem: answer.text, alternates: alternates.map((link) => new URL(link, url).href) };
  }

  /** When the authority suggests renewing a certificate (RFC 9773 4); null where it says nothing. Times in ms since the epoch. */
  async renewalInfo(id: string): Promise<{ start: number; end: number; retryAfterMs: number | null } | null> {
    const { renewalInfo } = await this.directory();
    if (renewalInfo === undefined) return null;
    const answer = await this.#fetch(`${renewalInfo}/${id}`, { method: "GET" });
    const { suggestedWindow } = parseJson<{ suggestedWindow?: { start?: string; end?: string } }>(answer, renewalInfo);
    const [start, end] = [Date.parse(suggestedWindow?.start ?? ""), Date.parse(suggestedWindow?.end ?? "")];
    if (!(start <= end)) throw new AcmeError("odd-answer", `${renewalInfo} suggests no window for renewal`);
    return { start, end, retryAfterMs: retryAfter(answer.headers) };
  }

  /** A signed request; a null payload only reads (RFC 8555 6.3). */
  async #post(url: string, payload: object | null, by: "account" | "key" = "account"): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = null;
      const signer = by === "key" ? by : { account: this.#account };
      const body = this.#signer.request(url, nonce, payload, signer);
      try {
        return await this.#fetch(url, {
          method: "POST",
          headers: { "content-type": "application/jose+json" },
          body,
        });
      } catch (error) {
        if (!(error instanceof AcmeError) || error.kind !== "badNonce" || attempt >= MAX_NONCES) throw error;
      }
    }
  }

  async #newNonce(): Promise<string> {
    const { newNonce } = await this.directory();
    await this.#fetch(newNonce, { method: "HEAD" });
    if (this.#nonce === null) throw new AcmeError("odd-answer", `${newNonce} gives no nonce`);
    return this.#nonce;
  }

  async #fetch(url: string, request: RequestInit): Promise<Answer> {
    // URLs come from the authority's answers, and fetch() also reads files.
    if (!url.startsWith("https://")) throw new AcmeError("odd-answer", "the authority names a URL that is not https");
    const { ca, serverName, timeoutMs, userAgent } = this.#endpoint;
    const tls: Record<string, unknown> = {};
    if (ca !== null) tls.ca = ca;
    if (serverName !== null) tls.serverName = serverName;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        ...request,
        headers: { ...request.headers, "user-agent": userAgent },
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
        tls,
      } as RequestInit);
      text = await readBounded(response);
    } catch (error) {
      if (error instanceof AcmeError) throw error;
      const { name, code, message } = error as NodeJS.ErrnoException;
      const why = name === "TimeoutError" ? `no answer within ${timeoutMs / 1000} s` : (code ?? message);
      throw new AcmeError("unreachable", `${url} cannot be reached: ${why}`);
    }
    this.#nonce = response.headers.get("replay-nonce") ?? this.#nonce;
    if (response.ok) return { status: response.status, headers: response.headers, text };
    throw problemOf(url, response, text);
  }
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER)
      throw new AcmeError("odd-answer", `${response.url} answers with more than ${MAX_ANSWER} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parseJson<T>({ text }: Answer, url: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // Said below.
  }
  throw new AcmeError("odd-answer", `${url} answers with something else than JSON`);
}
