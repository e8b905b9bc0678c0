// Every way a connection can end. A reason is at once the `reason` of the log line and the `result` label of the metric, so the set is
// fixed: nothing from outside can add to it.

import type { AdmissionReject } from "../admission/reject.ts";
import type { MiddlewareReject } from "../middlewares/middleware.ts";
import type { RelayEnd } from "../net/relay.ts";
import type { ClientAuthReject } from "../tls/client-auth.ts";
import type { HelloReject } from "../wire/client-hello.ts";

export type Reason =
  // Relayed, and ended by one side.
  | RelayEnd
  // Never relayed: admission and peek.
  | "limit"
  /** It had not come in yet, and went to make room for another one. */
  | "gave-way"
  | AdmissionReject
  | "descriptors"
  /** Its address has failed too often. */
  | "banned"
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
  /** Its CONNECT belongs to a router with other TLS settings than those of its handshake. */
  | "other-tls"
  | "acme-challenge"
  // Handshake.
  | "handshake-timeout"
  | "handshake-failed"
  | ClientAuthReject
  // CONNECT.
  | ConnectReject
  // Broker.
  | "common-name-unusable"
  | "common-name-too-long"
  | "no-server"
  /** Each server that could be tried has as many connections as it may have. */
  | "servers-full"
  | "dial-failed"
  /** A server was reached, none has answered, and there is no further one. */
  | "unanswered"
  /** No server of the service could be reached a moment ago. */
  | "service-down";

/** What the gate makes of a client that sends no CONNECT that conforms. */
export type ConnectReject =
  | "connect-timeout"
  | "connect-malformed"
  | "connect-protocol-error"
  | "connect-version"
  | "connect-too-large"
  | "not-mqtt";

/** What came of reading a CONNECT: also a label of metrics. */
export type ConnectResult = "accepted" | ConnectReject | MiddlewareReject;
