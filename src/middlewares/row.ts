// Middlewares as plain data, as they go from master to worker, and what is made of them there.

import { InFlightConn } from "./in-flight-conn.ts";
import { IpAllowList } from "./ip-allow-list.ts";
import type { Middleware, Stage } from "./middleware.ts";
import { type AuthServices, MqttAuth, type MqttAuthRow } from "./mqtt-auth.ts";
import { MqttConnect, type MqttConnectRow } from "./mqtt-connect.ts";
import { MqttIdentity, type MqttIdentityRow } from "./mqtt-identity.ts";

export type MiddlewareRow =
  | { readonly kind: "ipAllowList"; readonly sourceRange: readonly string[] }
  | { readonly kind: "inFlightConn"; readonly amount: number }
  | MqttConnectRow
  | MqttAuthRow
  | MqttIdentityRow;

/** When each kind is asked. */
export const STAGES: Readonly<Record<MiddlewareRow["kind"], Stage>> = {
  ipAllowList: "address",
  inFlightConn: "address",
  mqttConnect: "connect",
  mqttAuth: "connect",
  mqttIdentity: "connect",
};

/** `former` is what the name stood for until now: what it has counted goes on counting. `services` is what the worker has for them. */
export function createMiddleware(row: MiddlewareRow, former: Middleware | null, services: AuthServices): Middleware {
  switch (row.kind) {
    case "ipAllowList":
      return new IpAllowList(row.sourceRange);
    case "inFlightConn":
      return new InFlightConn(row.amount, former instanceof InFlightConn ? former : null);
    case "mqttConnect":
      return new MqttConnect(row);
    case "mqttAuth":
      return new MqttAuth(row, services);
    case "mqttIdentity":
      return new MqttIdentity(row);
  }
}
