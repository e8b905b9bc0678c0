// Everything that master and workers say to each other. All of it is plain data.
//
// A snapshot travels as rows, each under its own key; a reload sends the rows that changed and the keys that are gone, in parts of
// bounded size, and then one commit. So what a reload costs depends on what changed.

import type { Key } from "../admission/keys.ts";
import type { CertifiedKey } from "../certs/pem.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import type { DialError } from "../net/dial.ts";
import type { AccessFilters } from "../observe/access-filter.ts";
import type { LogSettings } from "../observe/log.ts";
import type { MetricJson } from "../observe/metric-json.ts";
import type { Rule } from "../rules/ast.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import type { LivePolicy } from "../upstream/live.ts";
import type { ServerReport } from "../upstream/server-state.ts";
import type { ServiceRow } from "../upstream/service.ts";
import type { CloseAnswer, ConnectionFilter, ListAnswer, ListRequest, RefusalLook, Traced } from "./looking.ts";
import type { Shares } from "./shares.ts";

/**
 * What a router does with a connection. `off` refuses it: its configuration is broken, and no other router shall take its names. Where
 * its rule asks MQTT, a client whose CONNECT is not read may be another router's: `options` are those by which it is asked for it. Where
 * they are left out, whoever could be meant is refused.
 */
export type RouterAction =
  | { readonly kind: "plain" }
  | { readonly kind: "passthrough" }
  | { readonly kind: "terminate"; readonly options: string }
  | { readonly kind: "off"; readonly tls: boolean; readonly options?: string };

/** Whether a router is asked about clients without TLS, and not about those with it. */
export function isForPlain(action: RouterAction): boolean {
  return action.kind === "plain" || (action.kind === "off" && !action.tls);
}

export interface RouterRow {
  readonly entryPoints: readonly string[];
  readonly rule: Rule;
  readonly priority: number;
  /** Of equal priority, the router of the provider with the lower rank goes first; 0 when it is left out. */
  readonly rank?: number;
  readonly action: RouterAction;
  /** In the order in which they are asked. */
  readonly middlewares: readonly string[];
  readonly service: string;
  /** What becomes of its connections when it loses what they came by; they are kept where it is left out. */
  readonly onRemove?: LivePolicy;
}

/** What a TLS-ALPN-01 challenge is answered with, in PEM. */
export interface ChallengeAnswer {
  readonly cert: string;
  readonly key: string;
}

export type Row =
  | { readonly kind: "router"; readonly name: string; readonly value: RouterRow }
  | { readonly kind: "service"; readonly name: string; readonly value: ServiceRow }
  | { readonly kind: "middleware"; readonly name: string; readonly value: MiddlewareRow }
  /** A part of a password file or of a list of networks; its name is the hash of its content. */
  | { readonly kind: "part"; readonly name: string; readonly value: { readonly text: string } }
  | { readonly kind: "options"; readonly name: string; readonly value: ServerTlsOptions }
  | { readonly kind: "certificate"; readonly name: string; readonly value: CertifiedKey }
  /** The answer to a TLS-ALPN-01 challenge; its name is the one that is proved. */
  | { readonly kind: "challenge"; readonly name: string; readonly value: ChallengeAnswer }
  | { readonly kind: "default"; readonly name: string; readonly value: { readonly certificate: string } };

export interface AccessLogSettings {
  /** A file of its own; without it, where the log goes. */
  readonly filePath?: string | undefined;
  readonly filters?: AccessFilters | undefined;
}

/** What the master can ask a worker, and what the answer is. */
export interface Answers {
  /** Its totals. */
  readonly metrics: MetricJson[];
  /** A page of its connections. */
  readonly connections: ListAnswer;
  /** Closes connections. */
  readonly close: CloseAnswer;
  /** Those whom it refused last, the newest last. */
  readonly refusals: readonly RefusalLook[];
}
export type Question = keyof Answers;

/** What belongs to a question; null where nothing does. */
export interface Asked extends Record<Question, unknown> {
  readonly metrics: null;
  readonly connections: ListRequest;
  readonly close: ConnectionFilter;
  /** Those that came after this moment, in milliseconds since the epoch. */
  readonly refusals: number;
}

/** Whose PROXY headers an entry point believes. */
export interface ProxyProtocolSettings {
  /** Addresses and networks in CIDR form. */
  readonly trustedIPs: readonly string[];
  /** Everybody's. */
  readonly insecure: boolean;
  /** Who comes without one is refused. */
  readonly required: boolean;
}

/** What a worker has to know of bans: what counts as a failure, and of whom. */
export interface BanSettings {
  readonly reasons: readonly string[];
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  /** Addresses and networks in CIDR form. */
  readonly trustedIPs: readonly string[];
}

/** An address of an entry point, as bans know it. */
export type BanKey = readonly [entryPoint: string, key: Key];

/** What a worker is told of an entry point. Times in milliseconds. */
export interface EntryPointSettings {
  readonly name: string;
  /** The descriptors on which this worker accepts its connections, which it has inherited. */
  readonly sockets: readonly number[];
  readonly readTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly proxyProtocol: ProxyProtocolSettings | null;
  /** null: nobody is banned. */
  readonly ban: BanSettings | null;
  readonly admission: AdmissionSettings;
}

/** Tokens of a bucket: so many come per second, and so many are there at most. */
export interface RateSettings {
  readonly perSecond: number;
  readonly burst: number;
}

/** How many may come to an entry point and how fast, over all workers; null is no limit. */
export interface AdmissionSettings {
  readonly maxConnections: number | null;
  /** Of one address. */
  readonly connections: number | null;
  /** Connections of one address. */
  readonly rate: RateSettings | null;
  /** Connections of one address that have not come in yet, in one worker; null: as many as are good for its connections. */
  readonly silent: number | null;
  readonly handshakes: {
    readonly concurrent: number | null;
    readonly rate: RateSettings | null;
    readonly concurrentOfAddress: number | null;
    readonly rateOfAddress: RateSettings | null;
  };
  /** Bits of an address that count. */
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly maxWaitMs: number;
  /** Addresses and networks in CIDR form that are not asked. */
  readonly trustedIPs: readonly string[];
}

export interface WorkerSettings {
  /** How many workers there are. */
  readonly workers: number;
  /** The generation of processes that it is of: each upgrade begins one. The first is 1. */
  readonly generation: number;
  /** The worker's number; the one that replaces a dead one has the same. */
  readonly index: number;
  readonly entryPoints: readonly EntryPointSettings[];
  readonly maxConnections: number;
  readonly heldBytesPerConnection: number;
  readonly heldBytesPerWorker: number;
  readonly log: LogSettings;
  readonly accessLog: AccessLogSettings | null;
  readonly helloBytesPerWorker: number;
  /** Whether somebody may want to see single connections and refusals. */
  readonly isInspected: boolean;
}

/** How a connection to a server went: it answered, or why not. */
export interface ServerOutcome {
  /** As in ServerReport. */
  readonly key: string;
  /** `closed`: before its first byte. `silent`: it has accepted and sent nothing. Else why the dial failed. */
  readonly outcome: "answered" | "closed" | "silent" | DialError;
  /** How often since it was last told. */
  readonly count: number;
}

/** Connections that are to end, or whose end is waited for. */
export interface Leaving {
  readonly id: string;
  /** Their reason when they are closed. */
  readonly reason: "drained" | "removed";
  readonly which: Which;
  /** All at once; otherwise as many as the master says. */
  readonly atOnce: boolean;
}

/** Which connections: those with a server, of a router, or of routers with a service. */
export type Which =
  /** As in ServerReport. */
  | { readonly by: "server"; readonly key: string }
  | ({ readonly by: "router" | "service"; readonly name: string } & Narrowed);

export interface Narrowed {
  /** Those whose route was chosen by an older version than this. */
  readonly before: number;
  /** Those of these entry points; left out: of all. */
  readonly entryPoints?: readonly string[];
  /** Those with these servers; left out: with any. */
  readonly servers?: readonly string[];
}

/** How a worker's connections end that are to be gone by a deadline. */
export type DrainPace =
  /** Those that are left end together, at the deadline. */
  | { readonly kind: "together" }
  /** Those of these entry points one after another until the deadline, the others at it. */
  | { readonly kind: "evenly"; readonly entryPoints: readonly string[] }
  /** So many a second, of all of them; may be a fraction. */
  | { readonly kind: "rate"; readonly perSecond: number };

export type ToWorker =
  | { readonly type: "start"; readonly settings: WorkerSettings }
  | { readonly type: "rows"; readonly put: readonly Row[]; readonly drop: readonly string[] }
  | { readonly type: "commit"; readonly version: number }
  | { readonly type: "ask"; readonly id: number; readonly question: Question; readonly about: Asked[Question] }
  /** What has changed with servers; a new worker gets all of them before its first commit. */
  | { readonly type: "servers"; readonly servers: readonly ServerReport[] }
  /** Connections that are to end; `drop` are ids. `round` comes back with what is told of them. */
  | {
      readonly type: "leaving";
      readonly round: number;
      readonly put: readonly Leaving[];
      readonly drop: readonly string[];
    }
  /** Close so many of those. */
  | { readonly type: "let-go"; readonly id: string; readonly count: number }
  /** What other workers have told, at once, but not more often than every SHARES_MS. */
  | ({ readonly type: "shares" } & Shares)
  /** Who is banned from now on, and who is no more; a new worker gets all of them before it listens. */
  | { readonly type: "bans"; readonly put: readonly BanKey[]; readonly drop: readonly BanKey[] }
  /** Write the way of these clients into the log, and of no others. */
  | { readonly type: "trace"; readonly traced: readonly Traced[] }
  /** Write what is at least as urgent into the log. */
  | { readonly type: "log-level"; readonly level: LogSettings["level"] }
  /** Open the log files anew. */
  | { readonly type: "reopen-logs" }
  /** Accept no more, and end when the connections have. A second one may make it sooner, never later. */
  | { readonly type: "drain"; readonly graceMs: number; readonly pace: DrainPace };

export type FromWorker =
  /** Every BEAT_MS. */
  | { readonly type: "alive" }
  | { readonly type: "listening" }
  /** It cannot accept there; the error as the system gave it. */
  | {
      readonly type: "failed";
      readonly entryPoint: string;
      readonly code: string | undefined;
      readonly message: string;
    }
  | { readonly type: "committed"; readonly version: number }
  | { readonly type: "answer"; readonly id: number; readonly answer: Answers[Question] }
  /** Told without being asked, so that little is lost when it is killed. */
  | { readonly type: "totals"; readonly metrics: MetricJson[] }
  /** At once, but not more often than every OUTCOMES_MS. */
  | { readonly type: "outcomes"; readonly outcomes: readonly ServerOutcome[] }
  /** How many connections are left that are to end, by id, when they have changed; 0 is left out. `round` is the last that it has got. */
  | {
      readonly type: "left";
      readonly round: number;
      readonly counts: readonly (readonly [id: string, count: number])[];
    }
  /** What the others are to know, at once, but not more often than every SHARES_MS. */
  | ({ readonly type: "shares" } & Shares)
  /** Connections that have failed, by address, at once, but not more often than every SHARES_MS. */
  | {
      readonly type: "failures";
      readonly failures: readonly (readonly [entryPoint: string, key: Key, reason: string, count: number])[];
    }
  /** How many connections were refused since it last told, and whose they were most often. */
  | {
      readonly type: "refused";
      readonly total: number;
      readonly top: readonly (readonly [key: Key, count: number, reason: string])[];
    }
  /** Its log lines cannot be written. */
  | { readonly type: "log-fault"; readonly message: string };

/** How often a worker says that it lives. Milliseconds. */
export const BEAT_MS = 1000;

/** The key under which a row is kept. */
export function rowKey(row: Row): string {
  return `${row.kind}/${row.name}`;
}

export function splitKey(key: string): { kind: Row["kind"]; name: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash) as Row["kind"], name: key.slice(slash + 1) };
}
