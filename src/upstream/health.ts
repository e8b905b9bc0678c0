// How the servers of a load balancer are watched, as plain data. Times in milliseconds.

import type { MqttVersion } from "../mqtt/version.ts";

/** What the master asks of a server again and again. */
export interface HealthCheck {
  /** null: the server's own. */
  readonly port: number | null;
  readonly intervalMs: number;
  /** After a check that failed. */
  readonly unhealthyIntervalMs: number;
  /** Of a whole check. */
  readonly timeoutMs: number;
  /** Good checks in a row that bring a server back. */
  readonly rise: number;
  /** Failed checks in a row that take it out. */
  readonly fall: number;
  readonly talk: Talk;
}

/** What is said once the connection is open. */
export type Talk = TcpTalk | MqttTalk;

export interface TcpTalk {
  readonly kind: "tcp";
  /** "": nothing. */
  readonly send: string;
  /** What the answer begins with; "": none is awaited. */
  readonly expect: string;
}

export interface MqttTalk {
  readonly kind: "mqtt";
  readonly version: MqttVersion;
  /** null: one that is this Sluice's and this server's alone. */
  readonly clientId: string | null;
  readonly username: string | null;
  /** Secret: it stays in the master. */
  readonly password: string | null;
}

/** What the connections of clients tell of a server. */
export interface Passive {
  /** Failed dials within the window that take a server out; 0: none do. */
  readonly failures: number;
  /** Clients in a row whose CONNECT a server did not answer, after which it is taken out; 0: none do. */
  readonly unanswered: number;
  readonly windowMs: number;
  /** How long a server that was taken out is left alone. */
  readonly coolDownMs: number;
}

export const DEFAULT_PASSIVE: Passive = { failures: 1, unanswered: 3, windowMs: 10_000, coolDownMs: 10_000 };
