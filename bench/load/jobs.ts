// What can be asked of a generator process, and what it answers. Plain data: it crosses an IPC channel.
import type { Sources } from "./sources.ts";

/** Where to connect. `tls` null is plain TCP, for the bare relay. */
export interface Target {
  port: number;
  tls: { ca: string; serverName: string; version: "TLSv1.2" | "TLSv1.3" } | null;
}

/** One piece of work; pools are named sets of connections that stay open between jobs. */
export type Job =
  | { kind: "handshakes"; target: Target; count: number; concurrency: number; resume: boolean }
  | { kind: "open"; pool: string; target: Target; count: number; concurrency: number }
  | { kind: "close"; pool: string }
  /** Closed loop when `rate` is null (one message in flight per connection), else paced messages per second in all. */
  | { kind: "echo"; pool: string; payload: number; seconds: number; rate: number | null }
  /** Ends a running echo early; its answer comes on the echo job itself. */
  | { kind: "stop-echo"; pool: string }
  | { kind: "bulk"; target: Target; direction: "up" | "down"; bytes: number }
  /** Resets all connections of the pool and opens them again at once. */
  | { kind: "storm"; pool: string; target: Target }
  /** As `storm`, but clients come again when they are refused, after `againMs` in the middle. */
  | { kind: "crowd"; pool: string; target: Target; count: number; sources: Sources; againMs: number }
  /** PINGREQ from each connection every `everyMs`, until "stop-pings". */
  | { kind: "pings"; pool: string; everyMs: number }
  | { kind: "stop-pings" }
  /** Holds `count` connections that mean no good, each opened again when it is closed, until "stop-flood" or for so many `tries`. */
  | { kind: "flood"; how: How; target: Target; count: number; sources: Sources; tries?: number }
  | { kind: "stop-flood" }
  /** One connection under another name: how long from dial to CONNACK, or why not. Never fails the run. */
  | { kind: "probe"; target: Target };

/** What a flood's connections do: nothing; a hello byte by byte; a hello and no Finished; a whole handshake and CONNECT; no TLS. */
export type How = "silent" | "slow-hello" | "unfinished" | "handshakes" | "garbage";

/** What a job reports. Latencies are µs each; seconds is the wall time of the measured part. */
export interface JobResult {
  count: number;
  bytes: number;
  seconds: number;
  latencies: Float64Array;
  /** Tries in all, of a crowd. */
  tries: number;
  /** Of a handshake job: how many were resumed, and what was negotiated ("TLSv1.3 TLS_AES_128_GCM_SHA256 X25519"). */
  resumed: number;
  negotiated: string;
  error: string | null;
}

/** A result with nothing in it, to be filled. */
export function emptyResult(): JobResult {
  const latencies = new Float64Array();
  return { count: 0, bytes: 0, seconds: 0, latencies, tries: 0, resumed: 0, negotiated: "", error: null };
}
