// What the API is told by the master, and what it asks it to do.

import type { CertificateState } from "../acme/plan.ts";
import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import type { Diagnostic } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import type { WatchedState } from "../health/watch.ts";
import type { LogSettings } from "../observe/log.ts";
import type { Level } from "../observe/logger.ts";
import type { MetricJson } from "../observe/metric-json.ts";
import type { Traced } from "../protocol/looking.ts";
import type { Answers, Asked, Question } from "../protocol/messages.ts";
import type { LivePolicy } from "../upstream/live.ts";

/** The configuration that serves now. */
export interface InForce {
  /** Null before the first one. */
  readonly merged: Merged | null;
  readonly compiled: Compiled;
  /** What was said of it, and of what is refused beside it. */
  readonly diagnostics: readonly Diagnostic[];
  readonly version: number;
  readonly loadedAt: Date;
}

/** What a load has changed, by kind: full names. */
export interface LoadChange {
  readonly kind: "router" | "service" | "middleware" | "options" | "certificate";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
}

/** A load of the dynamic configuration. */
export interface Load {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
  /** `refused`: what served before goes on serving, in all or for some of the providers. */
  readonly result: "loaded" | "refused";
  /** That it came into force as; null: nothing did. */
  readonly version: number | null;
  readonly refused: readonly string[];
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: readonly Diagnostic[];
  /** The first of them; `changes` is how many there are. */
  readonly changed: readonly LoadChange[];
  readonly changes: number;
}

/** Something that has happened: a line of the log. */
export interface Event {
  readonly id: number;
  readonly at: number;
  readonly level: Level;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Sums over all workers at one moment, in milliseconds since the epoch. All but `open` only grow. */
export interface Sample {
  readonly at: number;
  readonly open: number;
  readonly ended: number;
  readonly refused: number;
  readonly handshakes: number;
  readonly handshakeFailures: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface DrainLook {
  readonly service: string;
  readonly server: string;
  readonly router: string;
  /** `drained` or `removed`. */
  readonly reason: string;
  readonly policy: LivePolicy;
  /** Connections that are still to end. */
  readonly left: number;
}

export interface BanLook {
  readonly entryPoint: string;
  readonly network: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly reason: string;
}

export interface ProviderLook {
  readonly name: string;
  /** `up`: read at the last attempt; `away`: cannot be had; `refused`: its newest offer is not in force. */
  readonly state: "up" | "away" | "refused";
  /** Milliseconds since the epoch; null: never, or it is not kept. */
  readonly lastSuccess: number | null;
  readonly diagnostics: readonly Diagnostic[];
}

export interface ProcessLook {
  readonly role: string;
  readonly pid: number;
  /** Bytes. */
  readonly memory: number | null;
  readonly cpuSeconds: number | null;
  readonly descriptors: number | null;
}

export interface ApiSources {
  readonly config: StaticConfig;
  readonly version: string;
  readonly startedAt: Date;
  inForce(): InForce;
  servers(): Iterable<WatchedState>;
  /** Of the workers that answer. */
  ask<Q extends Question>(question: Q, about: Asked[Q]): Promise<readonly Answers[Q][]>;
  loads(): readonly Load[];
  /** The last ones, the oldest first. */
  events(): readonly Event[];
  /** `listener` hears of each event from now on, until the function that comes back is called. */
  onEvent(listener: (event: Event) => void): () => void;
  /** The last quarter of an hour, the oldest first. */
  history(): readonly Sample[];
  drains(): readonly DrainLook[];
  bans(): readonly BanLook[];
  acme(): readonly CertificateState[];
  providers(): readonly ProviderLook[];
  processes(): readonly ProcessLook[];
  /** What workers count, added up. */
  figures(): Promise<readonly MetricJson[]>;
  /** False: there is no such server. */
  drain(service: string, server: string, policy: LivePolicy): boolean;
  /** False: it is not drained by hand. */
  undrain(service: string, server: string): boolean;
  /** False: there is no such entry point with bans, or no such address. */
  ban(entryPoint: string, network: string, ms: number): boolean;
  /** False: there is no such ban. */
  lift(entryPoint: string, network: string): boolean;
  /** Reads everything anew. */
  reload(): void;
  /** False: no resolver keeps a certificate for this name. */
  renew(name: string): boolean;
  trace(traced: readonly Traced[]): void;
  traced(): readonly Traced[];
  setLevel(level: LogSettings["level"]): void;
  level(): LogSettings["level"];
}
