// The client side of ACME (RFC 8555, RFC 9773), as far as obtaining certificates needs it. A library was looked at first: acme-client
// shares one HTTP stack among all its clients, so resolvers could not trust different authorities, and its errors have neither the
// problem's type nor Retry-After, which deciding when to try again needs.

import { createHash, createHmac, createPublicKey, type KeyObject, sign } from "node:crypto";

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

/** RFC 7807, as RFC 8555 6.7 uses it. */
export interface Problem {
  readonly type?: string;
  readonly detail?: string;
  readonly status?: number;
  readonly subproblems?: readonly Problem[];
}

/** What the authority said no to, or why it could not be asked. */
export class AcmeError extends Error {
  /** The last part of the problem's type, such as rateLimited; "unreachable" when there was no answer; "odd-answer" for one that is no ACME. */
  readonly kind: string;
  /** What Retry-After says, from now; null when it says nothing. */
  readonly retryAfterMs: number | null;

  constructor(kind: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Answers are small; a certificate with its chain is the largest. Bytes. */
const MAX_ANSWER = 1024 * 1024;
/** How often a request is repeated with the nonce that the authority sent with its refusal (RFC 8555 6.5). */
const MAX_NONCES = 8;
/** Nobody is told to wait longer: a mistake of the authority's would be for ever. Milliseconds. */
const MAX_RETRY_AFTER_MS = 7 * 86_400_000;
/** Longest text of an authority that reaches a log line. Characters. */
const MAX_DETAIL = 400;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class AcmeClient {
  readonly #endpoint: AcmeEndpoint;
  readonly #key: KeyObject;
  readonly #jwk: Record<string, string>;
  readonly #algorithm: "RS256" | "ES256" | "ES384";
  #directory: Directory | null = null;
  #nonce: string | null = null;
  /** The account's URL, once it is known. */
  #account: string | null;

  /** `key` is the account's: RSA, P-256 or P-384. */
  constructor(endpoint: AcmeEndpoint, key: KeyObject, account: string | null) {
    this.#endpoint = endpoint;
    this.#key = key;
    this.#account = account;
    this.#jwk = jwkOf(key);
    this.#algorithm = this.#jwk.kty === "RSA" ? "RS256" : this.#jwk.crv === "P-384" ? "ES384" : "ES256";
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
    if (binding !== null) payload.externalAccountBinding = this.#bind(newAccount, binding);
    const answer = await this.#post(newAccount, payload, "jwk");
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
    const canonical = JSON.stringify(
      Object.fromEntries(Object.entries(this.#jwk).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    return `${token}.${createHash("sha256").update(canonical).digest("base64url")}`;
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

  /** The key of an account elsewhere vouches for ours (RFC 8555 7.3.4). */
  #bind(url: string, { kid, hmac }: { kid: string; hmac: Buffer }): Record<string, string> {
    const head = encode({ alg: "HS256", kid, url });
    const payload = encode(this.#jwk);
    return {
      protected: head,
      payload,
      signature: createHmac("sha256", hmac).update(`${head}.${payload}`).digest("base64url"),
    };
  }

  /** A signed request; a null payload only reads (RFC 8555 6.3). */
  async #post(url: string, payload: object | null, identity: "kid" | "jwk" = "kid"): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = null;
      const head = encode({
        alg: this.#algorithm,
        nonce,
        url,
        ...(identity === "jwk" ? { jwk: this.#jwk } : { kid: this.#account }),
      });
      const body = payload === null ? "" : encode(payload);
      const signature = this.#sign(`${head}.${body}`);
      try {
        return await this.#fetch(url, {
          method: "POST",
          headers: { "content-type": "application/jose+json" },
          body: JSON.stringify({ protected: head, payload: body, signature }),
        });
      } catch (error) {
        if (!(error instanceof AcmeError) || error.kind !== "badNonce" || attempt >= MAX_NONCES) throw error;
      }
    }
  }

  #sign(text: string): string {
    if (this.#algorithm === "RS256") return sign("sha256", Buffer.from(text), this.#key).toString("base64url");
    const key = { key: this.#key, dsaEncoding: "ieee-p1363" } as const;
    return sign(this.#algorithm === "ES384" ? "sha384" : "sha256", Buffer.from(text), key).toString("base64url");
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

function problemOf(url: string, response: Response, text: string): AcmeError {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // A proxy or a web server answered, and not ACME.
  }
  const kind = typeof problem?.type === "string" ? problem.type.split(":").at(-1)! : "odd-answer";
  const said = describe(problem);
  return new AcmeError(
    kind,
    said === "" ? `${url} answers with status ${response.status}` : said,
    retryAfter(response.headers),
  );
}

/** A problem in one line that is safe to log: what authorities say comes from outside. */
export function describe(problem: Problem | undefined): string {
  const parts = [problem, ...(problem?.subproblems ?? [])].map((each) => [each?.type?.split(":").at(-1), each?.detail]);
  const text = parts
    .map(([kind, detail]) => [kind, detail].filter((part) => typeof part === "string" && part !== "").join(": "))
    .filter((part) => part !== "")
    .join("; ");
  return text.replace(/[^\x20-\x7e\u00a1-\uffff]/g, " ").slice(0, MAX_DETAIL);
}

/** Retry-After in seconds or as a date (RFC 9110 10.2.3), as milliseconds from now. */
function retryAfter(headers: Headers): number | null {
  const value = headers.get("retry-after");
  if (value === null) return null;
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
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

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The public key as RFC 7638 wants it: only the members that count. */
function jwkOf(key: KeyObject): Record<string, string> {
  const { kty, crv, x, y, n, e } = createPublicKey(key).export({ format: "jwk" }) as Record<string, string>;
  return kty === "RSA" ? { e: e!, kty, n: n! } : { crv: crv!, kty: kty!, x: x!, y: y! };
}
