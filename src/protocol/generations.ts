// Everything that the masters of one Sluice say to each other. An upgrade starts a new generation of processes: a master and its workers.
// The newest serves; older ones have the connections that they had, until these end. All of it is plain data, as JSON.
//
// The two may be of different versions: fields may be added, and what is not known is passed over. What cannot be said so needs another
// GENERATIONS_PROTOCOL.

import type { MetricJson } from "../observe/metric-json.ts";
import type { LivePolicy } from "../upstream/live.ts";
import type { ServerReport } from "../upstream/server-state.ts";
import type { DrainPace, FromWorker, ServerOutcome } from "./messages.ts";
import type { Shares } from "./shares.ts";

/** Masters that speak another one cannot follow each other. */
export const GENERATIONS_PROTOCOL = 1;

/** Where a master listens for the others. */
export interface MasterAddress {
  readonly name: string;
  readonly secret: string;
}

/** How a successor is told of its predecessor. */
export const PREDECESSOR_VARIABLE = "SLUICE_PREDECESSOR";

/** What the embedded broker of an older generation listens on. It stays with the generation that started it, as it has its sessions in memory. */
export interface LentBroker {
  /** As configured. */
  readonly configured: string;
  readonly address: string;
}

/** A ban as it is listed. */
export interface BanState {
  readonly entryPoint: string;
  readonly network: string;
  readonly until: number;
  readonly ms: number;
  readonly level: number;
  readonly reason: string;
}

/** What a successor takes over once its predecessor has stopped accepting. */
export interface Inheritance {
  /** What all generations before have counted and that is not counted by living processes any more. */
  readonly totals: readonly MetricJson[];
  /** What the masters before have counted. */
  readonly masterTotals: readonly MetricJson[];
  readonly bans: readonly BanState[];
  /** Servers that were drained by hand. */
  readonly drains: readonly { readonly service: string; readonly server: string; readonly policy: LivePolicy }[];
}

/** A successor, while it starts. */
export type FromSuccessor =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  /** It serves; the others find it there from now on. */
  | { readonly type: "ready"; readonly address: MasterAddress }
  /** It cannot start; as an operator would read it. */
  | { readonly type: "failed"; readonly message: string };

export type ToSuccessor =
  | {
      readonly type: "welcome";
      readonly generation: number;
      /** Addresses of the admin side, which the predecessor serves until the hand-over. */
      readonly admin: readonly string[];
      /** The Unix socket of the API, an absolute path; null: there is none. */
      readonly apiSocket: string | null;
      readonly broker: LentBroker | null;
    }
  | { readonly type: "yours"; readonly inheritance: Inheritance };

/** An older generation, to the newest. */
export type FromOld =
  | {
      readonly type: "old";
      readonly generation: number;
      readonly broker: LentBroker | null;
      /** It has no connections any more, and what it has counted has been taken. */
      readonly isIdle: boolean;
    }
  /** Unasked every few seconds, and when it is asked. */
  | {
      readonly type: "report";
      readonly id: number;
      readonly connections: number;
      readonly pids: readonly number[];
      readonly metrics: readonly (readonly MetricJson[])[];
    }
  /** Its last connection has gone; what it has counted in all since it is old. */
  | { readonly type: "drained"; readonly totals: readonly MetricJson[] }
  | { readonly type: "shares"; readonly shares: Shares }
  | { readonly type: "outcomes"; readonly outcomes: readonly ServerOutcome[] }
  | { readonly type: "failures"; readonly failures: Extract<FromWorker, { type: "failures" }>["failures"] }
  /** It has got a signal, which is the newest's. */
  | { readonly type: "signal"; readonly signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2" };

/** The newest, to an older one. */
export type ToOld =
  /** What its embedded broker is to the newest. */
  | { readonly type: "broker"; readonly isWanted: boolean }
  | { readonly type: "ask"; readonly id: number }
  /** What it has counted is counted here from now on. */
  | { readonly type: "taken" }
  /** How servers are: of who is not named it stays as it was last told. */
  | { readonly type: "servers"; readonly servers: readonly ServerReport[] }
  | { readonly type: "shares"; readonly shares: Shares }
  | { readonly type: "reload" }
  | { readonly type: "reopen-logs" }
  /** End your connections within that time. */
  | { readonly type: "stop"; readonly graceMs: number; readonly pace: DrainPace }
  | { readonly type: "kill" }
  /** There is a newer one. */
  | { readonly type: "moved"; readonly to: MasterAddress }
  /** The newest ends, and Sluice with it. */
  | { readonly type: "ending"; readonly code: number };
