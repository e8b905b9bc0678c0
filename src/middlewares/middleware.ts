// The contract of middlewares: each is asked about a client at one stage of its way, and lets it pass or refuses it.

import type { Refusal } from "../mqtt/connack.ts";
import type { Connect } from "../mqtt/connect.ts";
import type { ConnectChanges } from "../mqtt/rewrite.ts";

/**
 * When a middleware is asked, by what is known then: the client's address, the hello and the router (`address`, before TLS), or also what
 * the handshake has shown and the client's CONNECT (`connect`). Nothing has been dialled at either of them.
 */
export type Stage = "address" | "connect";

/** What a middleware may know of a client. A text is "" while it is not known. */
export interface Client {
  readonly clientAddress: string;
  readonly sni: string;
  /** What it has sent first; null before the stage `connect`. Its buffers are the client's: who keeps them copies them. */
  readonly connect: Connect | null;
  /** The client's certificate in DER, where it has been verified; null otherwise. Asking for it costs a copy. */
  readonly clientCertificate: Buffer | null;
  /** What the server sees of its CONNECT: the middlewares before have had their say. Left out, as "", where it has none. */
  readonly clientId?: string;
  readonly username?: string;
  /** SHA-256 of the verified certificate, in hex. Asking for it costs as much as hashing it. */
  readonly certificate?: string;
  /** It has left, or is closed: who lets it wait need not go on. Asked anew each time; without it, it is there. */
  readonly isOver?: boolean;
}

/** Something of a limit that a connection holds; given back once, at its end, whatever the end. */
export interface Lease {
  release(): void;
}

/** Why a middleware refuses a client: also log field and metric label, so the set is fixed. */
export type MiddlewareReject =
  | "address-not-allowed"
  | "address-denied"
  | "too-many-connections"
  /** It comes more often than a rateLimit allows. */
  | "too-many-connects"
  | "connect-not-allowed"
  | "client-id-not-allowed"
  | "connect-too-large"
  | "bad-credentials"
  | "no-credentials"
  | "auth-busy"
  /** The client has no value for a placeholder of the router's mqttIdentity. */
  | "identity-missing"
  /** It has one that not everybody would read alike. */
  | "identity-unusable"
  /** What mqttIdentity requires does not hold. */
  | "identity-mismatch";

/** How long a client that has been let in may send nothing. Milliseconds. */
export interface IdleLimit {
  /** For one that says keep alive 0, which is none at all; 0: for ever. Others have 1.5 times what they say. */
  readonly keepAliveZeroMs: number;
}

/** Bytes per second, and how many may come at once after a pause. */
export interface ByteRate {
  readonly bytesPerSecond: number;
  readonly burst: number;
}

export interface Passed {
  readonly kind: "pass";
  readonly lease: Lease | null;
  /** What the broker is to read in the client's CONNECT; what a later middleware says of the same field counts. */
  readonly rewrite?: ConnectChanges;
  readonly idle?: IdleLimit;
  /** How fast the client may send (`in`) and get (`out`); null: as fast as it goes. */
  readonly bandwidth?: { readonly in: ByteRate | null; readonly out: ByteRate | null };
}

export interface Refused {
  readonly kind: "refuse";
  readonly reason: MiddlewareReject;
  /** What a client that has sent CONNECT is told; without it, what the reason stands for (proxy/connack-of.ts). */
  readonly refusal?: Refusal;
}

export type Verdict = Passed | Refused;

/** The verdict of one that holds nothing. */
export const PASS: Verdict = { kind: "pass", lease: null };

/** What reading a CONNECT may cost. */
export interface ConnectLimits {
  readonly timeoutMs: number;
  /** Bytes of the packet. */
  readonly maxSize: number;
}

export interface Middleware {
  readonly stage: Stage;
  /** How a CONNECT is read for it; without it, as for one of the defaults. */
  readonly connectLimits?: ConnectLimits;
  /** Never throws and never rejects. A promise is awaited with the client's socket in hand: it must settle in bounded time. */
  judge(client: Client): Verdict | Promise<Verdict>;
}
