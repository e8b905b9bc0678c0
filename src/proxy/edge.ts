// What the connections of one worker share: limits, timers, caches, the snapshot in force, and the step that admits them.

import type { SecureContext } from "node:tls";
import { Deadlines } from "../net/deadlines.ts";
import { Dialer } from "../net/dial.ts";
import { RelayPool } from "../net/relay.ts";
import { HostLookup } from "../net/resolve.ts";
import type { NativeSocket } from "../net/socket.ts";
import { NOBODY } from "../net/socket.ts";
import { ContextCache } from "../tls/contexts.ts";
import { ClientContexts } from "../upstream/client-contexts.ts";
import type { Target } from "../upstream/service.ts";
import { Connection } from "./connection.ts";
import { EntryMeters, Meters } from "./meters.ts";
import type { Reason } from "./reasons.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./snapshot.ts";

/** What is told about connections as they go; metrics and the access log listen. Times in milliseconds. */
export interface Observer {
  onHandshake(version: string, resumed: boolean, durationMs: number): void;
  onDial(target: Target, durationMs: number): void;
  onDialFailed(target: Target, reason: string): void;
  onEnd(connection: Connection, reason: Reason, bytesIn: number, bytesOut: number): void;
  onLoopDelay(ms: number): void;
  onFault(error: unknown): void;
}

export interface EdgeLimits {
  readonly maxConnections: number;
  readonly heldBytesPerConnection: number;
  readonly heldBytesPerWorker: number;
}

/** An entry point as a connection sees it. */
export interface EntryPoint {
  readonly name: string;
  readonly readTimeoutMs: number;
  readonly meters: EntryMeters;
}

export class Edge {
  readonly observer: Observer;
  readonly limits: EdgeLimits;
  readonly deadlines: Deadlines;
  readonly pool: RelayPool;
  readonly dialer: Dialer;
  readonly resolver = new HostLookup();
  readonly meters = new Meters();
  readonly contexts = new ContextCache();
  readonly clientContexts = new ClientContexts();
  readonly connections = new Set<Connection>();
  readonly entryPoints: EntryPoint[] = [];
  snapshot: Snapshot = EMPTY_SNAPSHOT;
  /** Answers to ACME challenges that are under way, by the name that is proved. */
  challenges: ReadonlyMap<string, { readonly cert: string; readonly key: string }> = new Map();

  constructor(limits: EdgeLimits, observer: Observer) {
    this.limits = limits;
    this.observer = observer;
    this.deadlines = new Deadlines((ms) => observer.onLoopDelay(ms));
    this.dialer = new Dialer(this.deadlines);
    this.pool = new RelayPool(this.deadlines, limits.heldBytesPerConnection, limits.heldBytesPerWorker);
  }

  entryPoint(name: string, readTimeoutMs: number): EntryPoint {
    const entryPoint = { name, readTimeoutMs, meters: new EntryMeters(name) };
    this.entryPoints.push(entryPoint);
    return entryPoint;
  }

  /** The first step: takes the connection in, or closes it when the worker is full. */
  admit(socket: NativeSocket, entryPoint: EntryPoint): void {
    if (this.connections.size >= this.limits.maxConnections) {
      socket.data = NOBODY;
      socket.terminate();
      entryPoint.meters.ended("limit");
      return;
    }
    new Connection(this, entryPoint, socket).start();
  }

  serverContext(
    options: Parameters<ContextCache["get"]>[0],
    certificate: Parameters<ContextCache["get"]>[1],
  ): SecureContext["context"] | null {
    try {
      return this.contexts.get(options, certificate);
    } catch (error) {
      this.observer.onFault(
        new Error(`the certificate for ${certificate.names[0] ?? "?"} does not load: ${(error as Error).message}`),
      );
      return null;
    }
  }
}
