// What the harness needs to know about a program it measures.
import { join } from "node:path";
import type { Certs, KeyKind } from "../certs.ts";
import type { ManyCert } from "../many-certs.ts";
import { type Started, startLogged, stopTree } from "../proc.ts";

/** Decrypt and forward, or forward by SNI without decrypting. */
export type Mode = "terminate" | "passthrough";

/** What a peer is to be configured for. */
export interface PeerOptions {
  mode: Mode;
  key: KeyKind;
  certs: Certs;
  /** Where the backend listens: plain when we terminate, TLS when we pass through. */
  backendPort: number;
  /** A directory of its own for this start: configuration and log. */
  dir: string;
  /** Cores to pin a single-worker peer to, when the run pins. */
  cpus: string | undefined;
  /** Growth rows: this many further routes, or certificates beside the leaf. */
  extraRoutes?: number;
  extraCerts?: readonly ManyCert[];
  /** CONNECT is read, checked and, where the peer can do it, written anew, before the backend is dialled. */
  gate?: boolean;
  /** A port where nobody listens, of a server before the backend. */
  deadServer?: number;
  /** What storms and floods are held off with, the same figures for all peers; without it, as it is out of the box. */
  protection?: Protection;
  /** The certificate that a reload adds. */
  addedCert?: ManyCert;
}

/** Limits against storms and floods. */
export interface Protection {
  /** Handshakes per second. */
  handshakes: number;
  /** Of one address: connections at a time, and new ones per second. */
  connections: number;
  perSecond: number;
  /** Who fails so often within a minute is refused for a minute. */
  failures?: number;
}

/** A peer that accepts connections. */
export interface Running {
  pid: number;
  port: number;
  /** From starting the program until it accepted, ms. */
  startMs: number;
  stop(): Promise<void>;
  /** Changes one route and reloads as the program's documentation says; resolves when the change is asked for. */
  reload?(round: number): Promise<void>;
}

/** A program to measure. */
export interface Peer {
  name: string;
  /** Shown in the table's legend: what runs, and why it is configured so. */
  note: string;
  modes: readonly Mode[];
  /** False for the bare relay, which the generator talks to in plain TCP. */
  tls: boolean;
  /** How many workers serve: "one" peers are compared with each other. */
  workers: "one" | "all";
  /** It has a Running.reload. */
  reloads?: boolean;
  /** It knows extraRoutes, extraCerts and addedCert. */
  grows?: boolean;
  /** The version line, or null when the program is not installed. */
  version(): Promise<string | null>;
  start(options: PeerOptions): Promise<Running>;
}

/**
 * The ciphers that every peer is held to, so that all do the same work: Mozilla's intermediate list, which each
 * program's documentation points to. TLS 1.3 order: AES-128-GCM first, as BoringSSL prefers it too.
 */
export const CIPHERS_13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/** The TLS 1.2 part of the same list. */
export const CIPHERS_12 =
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" +
  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/** The first line that a program prints about itself (on either output), or null when it cannot be run. */
export async function firstLine(command: string[]): Promise<string | null> {
  try {
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const text = (await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])).join("");
    return text.split("\n").find((line) => /\d/.test(line)) ?? null;
  } catch {
    return null;
  }
}

/** Starts a peer's program with its log in `dir`. */
export function startPeer(command: string[], options: PeerOptions, env?: Record<string, string>): Started {
  const { dir, cpus } = options;
  return startLogged(command, { log: join(dir, "log"), cwd: dir, ...(cpus && { cpus }), ...(env && { env }) });
}

/** The part of Running that is the same for all. */
export function running(program: Started, port: number, signals = 1): Running {
  return {
    pid: program.pid,
    port,
    startMs: performance.now() - program.at,
    stop: () => stopTree(program.process, signals),
  };
}
