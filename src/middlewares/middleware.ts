// The contract of middlewares: each is asked about a client at one stage of its way, and lets it pass or refuses it.

/**
 * When a middleware is asked, by what is known then: the client's address, the hello and the router (`address`, before TLS); what the
 * TLS handshake has shown (`tls`); the client's CONNECT (`connect`). Nothing has been dialled at any of them.
 */
export type Stage = "address" | "tls" | "connect";

/** What a middleware may know of a client. A text is "" while it is not known. */
export interface Client {
  readonly clientAddress: string;
  readonly sni: string;
  readonly clientSubject: string;
}

/** Something of a limit that a connection holds; given back once, at its end, whatever the end. */
export interface Lease {
  release(): void;
}

/** Why a middleware refuses a client: also log field and metric label, so the set is fixed. */
export type MiddlewareReject = "address-not-allowed" | "too-many-connections";

export type Verdict =
  | { readonly kind: "pass"; readonly lease: Lease | null }
  | { readonly kind: "refuse"; readonly reason: MiddlewareReject };

/** The verdict of one that holds nothing. */
export const PASS: Verdict = { kind: "pass", lease: null };

export interface Middleware {
  readonly stage: Stage;
  /** Never throws and never rejects. A promise is awaited with the client's socket in hand: it must settle in bounded time. */
  judge(client: Client): Verdict | Promise<Verdict>;
}
