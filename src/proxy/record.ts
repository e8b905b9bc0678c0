// What is known of a connection. It grows along the way; metrics and the access log are told of it when the connection ends.

import type { NotMqtt } from "../mqtt/strangers.ts";
import { type NativeSocket, unmap } from "../net/socket.ts";
import { loggedName } from "../observe/logged-name.ts";
import type { MqttFacts } from "../rules/ast.ts";
import type { HandshakeCause } from "../tls/handshake-failure.ts";
import type { Revocable } from "../tls/revocations.ts";
import type { ServerState } from "../upstream/server-state.ts";
import type { RouteMeters } from "./meters.ts";

/** What a client's CONNECT has said, as it is routed by and logged. */
export interface ConnectFacts extends MqttFacts {
  /** Seconds. */
  readonly keepAlive: number;
  readonly clean: boolean;
  readonly will: boolean;
}

/** A text is "" while it is not known. */
export class ConnectionRecord {
  readonly entryPoint: string;
  /** By the clock of `performance.now()`. */
  readonly startedAt = performance.now();
  /** "" and 0 when the client was gone before it was looked at. Of a client behind a balancer, what its PROXY header says. */
  clientAddress: string;
  clientPort: number;
  /** Where the client has connected to, as a PROXY header says; null without one: the socket knows. */
  dialled: { readonly address: string; readonly port: number } | null = null;
  /** The balancer whose PROXY header was believed. */
  balancer = "";
  sni = "";
  /** The protocol agreed on. */
  alpn = "";
  /** Router and service, with their counters: all that a relayed connection keeps of its route. */
  meters: RouteMeters | null = null;
  server = "";
  /** Of the server that it counts at. */
  serverState: ServerState | null = null;
  tlsVersion = "";
  tlsCipher = "";
  /** Why the handshake failed, or what a client speaks instead of MQTT. */
  cause: HandshakeCause | NotMqtt | "" = "";
  /** null where no CONNECT is read. */
  mqtt: ConnectFacts | null = null;
  /** The protocol that the client offered, where it offered just one. */
  offeredAlpn = "";
  /** What the client has shown of itself in the handshake. */
  certificate: "none" | "unverified" | "verified" = "none";
  /** In hexadecimal, once a server has been told it. */
  uniqueId = "";
  /** One line of printable characters, also of a client that was refused. */
  clientSubject = "";
  /** The client's certificate as revocation lists know it; null where there are none. */
  revocable: Revocable | null = null;
  /** The TLS options whose lists they are. */
  options = "";

  constructor(entryPoint: string, socket: NativeSocket) {
    this.entryPoint = entryPoint;
    // A client that has reset the connection already has no address any more.
    this.clientAddress = unmap(socket.remoteAddress ?? "");
    this.clientPort = socket.remotePort ?? 0;
  }

  /** Once nobody routes by them any more, the log alone wants the client's names: whole ones would be held by no limit. */
  shortenNames(): void {
    if (this.mqtt === null) return;
    const clientId = loggedName(this.mqtt.clientId);
    const username = this.mqtt.username === null ? null : loggedName(this.mqtt.username);
    if (clientId === this.mqtt.clientId && username === this.mqtt.username) return;
    this.mqtt = { ...this.mqtt, clientId, username };
  }
}
