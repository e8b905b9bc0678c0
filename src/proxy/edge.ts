// What the connections of one worker share: limits, timers, caches, and the tables they are routed by.

import type { SecureContext } from "node:tls";
import { Newcomers } from "../admission/newcomers.ts";
import { Tables } from "../admission/tables.ts";
import type { AuthResult } from "../middlewares/mqtt-auth.ts";
import { Deadlines } from "../net/deadlines.ts";
import { nextDescriptor } from "../net/descriptors.ts";
import { type DialError, Dialer } from "../net/dial.ts";
import { Lingers } from "../net/linger.ts";
import { RelayPool } from "../net/relay.ts";
import { HostLookup } from "../net/resolve.ts";
import { Turns } from "../net/turns.ts";
import type { EntryPointSettings } from "../protocol/messages.ts";
import { ContextCache } from "../tls/contexts.ts";
import { ClientContexts } from "../upstream/client-contexts.ts";
import type { Target } from "../upstream/service.ts";
import { HelloPool } from "../wire/hello-pool.ts";
import { Admission, type Yielding } from "./admission.ts";
import type { BanDoor } from "./ban-door.ts";
import { EntryMeters, Meters } from "./meters.ts";
import { Outages } from "./outages.ts";
import { ProxyProtocolIn } from "./proxy-protocol-in.ts";
import type { Reason } from "./reasons.ts";
import type { ConnectionRecord } from "./record.ts";
import { Sharing } from "./sharing.ts";
import { RoutingTables } from "./tables.ts";
import type { Tracer } from "./tracer.ts";

/** What is told about connections as they go; metrics and the access log listen. Times in milliseconds. */
export interface Observer {
  onHandshake(version: string, resumed: boolean, durationMs: number): void;
  /** A first packet was read, whatever it was; from the end of TLS on. */
  onConnect(waitedMs: number): void;
  onDial(target: Target, durationMs: number): void;
  onDialFailed(target: Target, reason: DialError): void;
  /** A server has answered after it had failed, or has not answered a client that was right to wait. */
  onOutcome(target: Target, outcome: "answered" | "closed" | "silent"): void;
  onEnd(record: ConnectionRecord, reason: Reason, bytesIn: number, bytesOut: number): void;
  /** mqttAuth has judged a client; `durationMs` is 0 where there was nothing to hash. */
  onAuthentication(result: AuthResult, durationMs: number): void;
  onLoopDelay(ms: number): void;
  /** A client was closed at once, which has no end of its own. */
  onTurnedAway(address: string, reason: Reason, entryPoint: string): void;
  /** A client was closed because there are no descriptors. */
  onOutOfDescriptors(): void;
  onFault(error: unknown): void;
}

export interface EdgeLimits {
  readonly maxConnections: number;
  readonly heldBytesPerConnection: number;
  readonly heldBytesPerWorker: number;
  readonly helloBytesPerWorker: number;
  /** How many workers there are; 1 when it is left out. */
  readonly workers?: number;
  /** The generation of processes that they are of, counted from 1. */
  readonly generation?: number;
}

/** A connection that is open, as the worker sees it. */
export interface LiveConnection {
  readonly record: ConnectionRecord;
  /** The version of the tables by which its route was chosen. */
  readonly version: number;
  /** The server that it is connected to, with its service in one word as in Target; "": there is none. */
  readonly serverKey: string;
  readonly isOver: boolean;
  /** Ends it in order, if it is connected to one. `reason`: its server is drained, or what it came by has been removed, or its client id is elsewhere. */
  letGo(reason: "drained" | "removed" | "taken-over"): void;
  /** Ends it at once, because its certificate has been revoked. */
  revoke(): void;
  /** Closes whatever there is, for a shutdown. */
  shutdown(): void;
  /** The same, because an operator wants it. */
  closeByHand(): void;
  /** Bytes of the client's and of the server's stream so far. */
  traffic(): { readonly bytesIn: number; readonly bytesOut: number };
  /** Where it is on its way. */
  readonly stepName: string;
  /** Whether its TLS session is one that was resumed. */
  readonly isResumed: boolean;
}

/** An entry point as a connection sees it. */
export interface EntryPoint {
  readonly name: string;
  readonly readTimeoutMs: number;
  /** 0: for ever. */
  readonly connectTimeoutMs: number;
  /** null: no PROXY header is read. */
  readonly proxyProtocol: ProxyProtocolIn | null;
  /** Who is refused because he has failed too often; null: nobody ever is. */
  readonly bans: BanDoor | null;
  readonly meters: EntryMeters;
  /** Its connections that have not come in yet: some of them go where there is no room. */
  readonly newcomers: Newcomers<Yielding>;
  /** Those who wait because their address has more handshakes than it may: an address with many of them makes room too. */
  readonly waiters: Newcomers<Yielding>;
  readonly admission: Admission;
}

/** `workers` is at most so large: so no two workers of different generations have the same number. */
const MOST_WORKERS = 1000;

/** For how long after the last shortage it is looked closely. Milliseconds. */
const NEAR_MS = 10_000;

export class Edge {
  readonly observer: Observer;
  readonly limits: EdgeLimits;
  readonly deadlines: Deadlines;
  /** Refused clients that still have their answer to read. */
  readonly lingers: Lingers;
  readonly pool: RelayPool;
  /** What unfinished hellos hold. */
  readonly hellos: HelloPool;
  readonly dialer: Dialer;
  readonly lookup = new HostLookup();
  /** The first descriptor that no client gets: above it are those for dials under way, and for everything else. */
  lastDescriptor = Number.POSITIVE_INFINITY;
  /** When a client last had one of the last descriptors, by the clock of `performance.now()`; null: never. */
  #shortAt: number | null = null;
  /** The queue of handshakes, and of closings. */
  readonly turns = new Turns();
  readonly meters = new Meters();
  readonly outages = new Outages();
  readonly contexts = new ContextCache();
  readonly clientContexts = new ClientContexts();
  readonly connections = new Set<LiveConnection>();
  readonly entryPoints: EntryPoint[] = [];
  /** What clients have of limits, by key. */
  readonly keyed: Tables;
  readonly tables: RoutingTables;
  /** What other workers know of this one, and this one of them. */
  readonly sharing: Sharing;
  /** null: nobody's way is written into the log. */
  tracer: Tracer | null = null;
  readonly #unloadable = new WeakSet<object>();

  /** `start` is where round robin begins, different in each worker; `tellShares` tells other workers, and is null where there are none. */
  constructor(
    limits: EdgeLimits,
    observer: Observer,
    start = 0,
    tellShares: ConstructorParameters<typeof Sharing>[3] = null,
  ) {
    this.limits = limits;
    this.observer = observer;
    this.deadlines = new Deadlines((ms) => observer.onLoopDelay(ms));
    this.lingers = new Lingers(this.deadlines);
    this.dialer = new Dialer(this.deadlines);
    this.pool = new RelayPool(this.deadlines, this.turns, limits.heldBytesPerConnection, limits.heldBytesPerWorker);
    this.hellos = new HelloPool(limits.helloBytesPerWorker);
    const { workers = 1, generation = 1 } = limits;
    // A lone worker may get a successor, which is to know what clients have here.
    this.keyed = new Tables(workers, undefined, tellShares === null ? workers : Math.max(2, workers));
    const onAuthentication: Observer["onAuthentication"] = (result, ms) => observer.onAuthentication(result, ms);
    this.tables = new RoutingTables(this.meters, start, onAuthentication, this.keyed);
    this.sharing = new Sharing(generation * MOST_WORKERS + start, this.tables.servers, this.keyed, tellShares);
    this.tables.balancers.onSticky = (at) => this.sharing.came(at);
  }

  entryPoint(settings: Omit<EntryPointSettings, "sockets" | "ban">, bans: BanDoor | null = null): EntryPoint {
    const { name, readTimeoutMs, connectTimeoutMs, proxyProtocol, admission } = settings;
    const entryPoint = {
      name,
      readTimeoutMs,
      connectTimeoutMs,
      proxyProtocol: proxyProtocol === null ? null : new ProxyProtocolIn(proxyProtocol),
      bans,
      meters: new EntryMeters(name),
      newcomers: new Newcomers<Yielding>(),
      waiters: new Newcomers<Yielding>(),
      admission: new Admission(name, admission, this.limits.maxConnections, this.keyed),
    };
    this.entryPoints.push(entryPoint);
    return entryPoint;
  }

  /**
   * Whether a client with this descriptor is one too many. Who gives way leaves a low number, which the next one gets; so for a while after a high
   * one it is asked whether there is another low one. Else each second client would take one of the last, until there are none.
   */
  isShort(fd: number): boolean {
    const isNear = this.#shortAt !== null && performance.now() - this.#shortAt < NEAR_MS;
    const isShort = fd >= this.lastDescriptor || (isNear && nextDescriptor() >= this.lastDescriptor);
    if (isShort) this.#shortAt = performance.now();
    return isShort;
  }

  /** null: it does not load, which is reported once for each certificate: clients that ask for it cause no further line. */
  serverContext(
    options: Parameters<ContextCache["get"]>[0],
    certificate: Parameters<ContextCache["get"]>[1],
  ): SecureContext["context"] | null {
    try {
      return this.contexts.get(options, certificate);
    } catch (error) {
      if (this.#unloadable.has(certificate)) return null;
      this.#unloadable.add(certificate);
      this.observer.onFault(
        new Error(`the certificate for ${certificate.names[0] ?? "?"} does not load: ${(error as Error).message}`),
      );
      return null;
    }
  }
}
