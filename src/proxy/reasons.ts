// Every way a connection can end. A reason is at once the `reason` of the log line and the `result` label of the metric, so the set is
// fixed: nothing from outside can add to it.

import type { MiddlewareReject } from "../middlewares/middleware.ts";
import type { RelayEnd } from "../net/relay.ts";
import type { ClientAuthReject } from "../tls/client-auth.ts";
import type { HelloReject } from "../wire/client-hello.ts";

export type Reason =
  // Relayed, and ended by one side.
  | RelayEnd
  // Never relayed: admission and peek.
  | "limit"
  | "descriptors"
  | "client-gone"
  | "proxy-header-missing"
  | "proxy-header-bad"
  | "proxy-header-timeout"
  | "hello-timeout"
  /** Unfinished hellos hold as much as a worker may, and this one held most. */
  | "hello-limit"
  | HelloReject
  // Routing.
  | MiddlewareReject
  | "no-route"
  | "unknown-sni"
  | "no-certificate"
  | "router-off"
  /** A reload during the handshake asks for another one. */
  | "rules-changed"
  | "acme-challenge"
  // Handshake.
  | "handshake-timeout"
  | "handshake-failed"
  | ClientAuthReject
  // Broker.
  | "common-name-control"
  | "common-name-unreadable"
  | "common-name-too-long"
  | "no-server"
  | "dial-failed";
