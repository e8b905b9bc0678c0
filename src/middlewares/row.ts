// Middlewares as plain data, as they go from master to worker, and what is made of them there.

import { MAX_ENTRIES, type Tables } from "../admission/tables.ts";
import { Bandwidth, type BandwidthRow } from "./bandwidth.ts";
import { KEY_STAGES, tableOf } from "./client-key.ts";
import { InFlightConn, type InFlightConnRow } from "./in-flight-conn.ts";
import { IpList, type IpListRow } from "./ip-lists.ts";
import type { Middleware, Stage } from "./middleware.ts";
import { type AuthServices, MqttAuth, type MqttAuthRow } from "./mqtt-auth.ts";
import { MqttConnect, type MqttConnectRow } from "./mqtt-connect.ts";
import { MqttIdentity, type MqttIdentityRow } from "./mqtt-identity.ts";
import { RateLimit, type RateLimitRow } from "./rate-limit.ts";

export type MiddlewareRow =
  | IpListRow
  | InFlightConnRow
  | RateLimitRow
  | BandwidthRow
  | MqttConnectRow
  | MqttAuthRow
  | MqttIdentityRow;

/** When a middleware is asked. */
export function stageOf(row: MiddlewareRow): Stage {
  switch (row.kind) {
    case "ipAllowList":
    case "ipDenyList":
    case "bandwidth":
      return "address";
    case "inFlightConn":
    case "rateLimit":
      return KEY_STAGES[row.key];
    case "mqttConnect":
    case "mqttAuth":
    case "mqttIdentity":
      return "connect";
  }
}

/** The name of the table in which a middleware counts; null: it counts nothing. */
export function tableOfRow(name: string, row: MiddlewareRow): string | null {
  return row.kind === "inFlightConn" || row.kind === "rateLimit" ? tableOf(name, row) : null;
}

/** What middlewares need of the worker. */
export interface MiddlewareServices extends AuthServices {
  readonly tables: Tables;
}

/** `former` is what the name stood for until now: what it has counted goes on counting. `services` is what the worker has for them. */
export function createMiddleware(
  name: string,
  row: MiddlewareRow,
  former: Middleware | null,
  services: MiddlewareServices,
): Middleware {
  const { tables } = services;
  switch (row.kind) {
    case "ipAllowList":
    case "ipDenyList":
      return new IpList(row, (part) => services.partOf(part));
    case "inFlightConn":
      return new InFlightConn(row, tables.counts(tableOf(name, row), { limit: row.amount, maxEntries: MAX_ENTRIES }));
    case "rateLimit": {
      const { average, periodMs, burst } = row;
      const settings = { intervalMs: periodMs / average, burst, maxEntries: MAX_ENTRIES };
      const rates = tables.rates(tableOf(name, row), settings);
      return new RateLimit(row, rates, () => tables.now(), former instanceof RateLimit ? former : null);
    }
    case "bandwidth":
      return new Bandwidth(row);
    case "mqttConnect":
      return new MqttConnect(row);
    case "mqttAuth":
      return new MqttAuth(row, services);
    case "mqttIdentity":
      return new MqttIdentity(row);
  }
}
