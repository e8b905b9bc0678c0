// A server with all that is needed to watch it, out of the rows and checks of a configuration.

import type { Row } from "../protocol/messages.ts";
import { DEFAULT_PASSIVE, type HealthCheck, type Passive } from "../upstream/health.ts";
import { type Server, serverKey, type Transport } from "../upstream/service.ts";

export interface Watched {
  /** As in ServerReport. */
  readonly key: string;
  readonly service: string;
  readonly server: Server;
  readonly transport: Transport;
  readonly check: HealthCheck | null;
  readonly passive: Passive;
}

/** Every server of every service; of one that DNS is still to tell there is nothing to watch. */
export function watchedOf(rows: Iterable<Row>, checks: ReadonlyMap<string, HealthCheck>): Watched[] {
  const all: Watched[] = [];
  for (const row of rows) {
    if (row.kind !== "service" || row.value.kind !== "loadBalancer") continue;
    const { servers, transport, passive = DEFAULT_PASSIVE } = row.value;
    const check = checks.get(row.name) ?? null;
    for (const server of servers)
      if (server.discover === undefined)
        all.push({ key: serverKey(row.name, server.address), service: row.name, server, transport, check, passive });
  }
  return all;
}
