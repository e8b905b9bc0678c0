// Entry points: what listens where, and that no two of them want the same port.

import { type AdmissionConfig, type AdmissionValue, toAdmission } from "./admission-limits.ts";
import type { BanConfig } from "./ban.ts";
import { parseHostPort } from "./scalars.ts";
import type { Path } from "./source.ts";
import type { Say } from "./subject.ts";
import type { WorkerSelection } from "./worker-selection.ts";

export interface EntryPointConfig {
  readonly name: string;
  readonly address: string;
  /** "" listens on every address, IPv6 and IPv4. */
  readonly host: string;
  readonly port: number;
  readonly asDefault: boolean;
  readonly readTimeoutMs: number;
  /** How long a client that has been let in may send nothing; 0 is for ever. */
  readonly connectTimeoutMs: number;
  /** How long clients are still accepted after SIGTERM. */
  readonly requestAcceptGraceTimeoutMs: number;
  readonly graceTimeoutMs: number;
  /** Its connections end one after another over that time. */
  readonly spread: boolean;
  /** How long a client may be unreachable; 0 is for ever. */
  readonly keepAliveMs: number;
  /** How many connections may wait to be accepted by one worker. */
  readonly backlog: number;
  readonly workerSelection: WorkerSelection;
  /** Whose PROXY headers are believed; null: none is read. */
  readonly proxyProtocol: {
    readonly trustedIPs: readonly string[];
    readonly insecure: boolean;
    readonly required: boolean;
  } | null;
  /** null: nobody is banned. */
  readonly ban: BanConfig | null;
  readonly admission: AdmissionConfig;
  /** It serves /metrics, /ping or HTTP-01 challenges from the master, and no TCP router. */
  readonly admin: boolean;
}

/** Hosts that stand for every address. */
export const EVERYWHERE: readonly string[] = ["", "::", "0.0.0.0"];

/** Whether only this machine can reach an entry point there. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\..*|::1)$/i.test(host);
}

/** Two listeners on one port, and on one address or on all of them: one of them could never start. */
export function checkOverlaps(points: readonly EntryPointConfig[], broker: string | undefined, problem: Say): void {
  const former: { host: string; port: number; what: string }[] = [];
  const add = (path: Path, what: string, address: string, host: string, port: number) => {
    const other = former.find(
      (each) =>
        each.port === port && (each.host === host || EVERYWHERE.includes(each.host) || EVERYWHERE.includes(host)),
    );
    if (port !== 0 && other !== undefined)
      problem("address-taken", path, `${what}: ${address} is already taken by ${other.what}`);
    former.push({ host, port, what });
  };
  for (const { name, address, host, port } of points)
    add(["entryPoints", name, "address"], `the entry point "${name}"`, address, host, port);
  const parsed = broker === undefined ? null : parseHostPort(broker);
  if (parsed?.kind === "ok")
    add(["embeddedBroker", "address"], "embeddedBroker", broker!, parsed.host || "127.0.0.1", parsed.port);
}

/** An entry point as the schema gives it. */
interface Decoded {
  readonly address: string;
  readonly asDefault: boolean;
  readonly transport: {
    readonly respondingTimeouts: { readonly readTimeout: number; readonly connectTimeout: number };
    readonly lifeCycle: {
      readonly requestAcceptGraceTimeout: number;
      readonly graceTimeOut: number;
      readonly spread: boolean;
    };
    readonly keepAlive: number;
  };
  readonly backlog: number;
  readonly workerSelection: WorkerSelection;
  readonly admission: AdmissionValue;
  readonly proxyProtocol?: NonNullable<EntryPointConfig["proxyProtocol"]> | undefined;
  readonly ban?: BanConfig | undefined;
}

export function toEntryPoint(name: string, point: Decoded, admin: boolean): EntryPointConfig {
  const parsed = parseHostPort(point.address);
  if (parsed.kind === "error") throw new Error(parsed.message);
  return {
    name,
    address: point.address,
    host: parsed.host,
    port: parsed.port,
    asDefault: point.asDefault,
    readTimeoutMs: point.transport.respondingTimeouts.readTimeout,
    connectTimeoutMs: point.transport.respondingTimeouts.connectTimeout,
    requestAcceptGraceTimeoutMs: point.transport.lifeCycle.requestAcceptGraceTimeout,
    graceTimeoutMs: point.transport.lifeCycle.graceTimeOut,
    spread: point.transport.lifeCycle.spread,
    keepAliveMs: point.transport.keepAlive,
    backlog: point.backlog,
    workerSelection: point.workerSelection,
    proxyProtocol: point.proxyProtocol ?? null,
    ban: point.ban ?? null,
    admission: toAdmission(point.admission),
    admin,
  };
}
