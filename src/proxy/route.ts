// Route: chooses the router by SNI, ALPN and client address, and starts what it asks for.

import { type Facts, parseAddress } from "../rules/matchers.ts";
import type { HelloResult } from "../wire/client-hello.ts";
import { answerChallenge } from "./challenge.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { decidePlain, decideTls } from "./decide.ts";
import type { Route } from "./snapshot.ts";
import { terminate } from "./terminate.ts";

export type Hello = Extract<HelloResult, { kind: "ok" | "none" }>;

/** fatal(2), unrecognized_name(112), in a record of TLS 1.2's version as every stack takes it (RFC 6066 3, RFC 8446 6.2). */
const UNRECOGNIZED_NAME = Buffer.from("15030300020270", "hex");

export function routeTls(connection: Connection, hello: Hello, received: Uint8Array): void {
  connection.sni = hello.kind === "ok" ? hello.sni : "";
  // An ACME challenge is for whoever obtains certificates here, never for a broker (RFC 8737 3).
  if (hello.acme) {
    if (!answerChallenge(connection, connection.sni, asBuffer(received))) refuseName(connection, "acme-challenge");
    return;
  }
  const snapshot = connection.edge.snapshot;
  const decision = decideTls(snapshot, connection.entryPoint.name, factsOf(connection, hello.alpn));
  choose(connection, decision.route);
  if (decision.kind === "refuse") {
    refuseName(connection, decision.reason);
  } else if (decision.kind !== "terminate") {
    connection.edge.deadlines.clear(connection);
    connection.hello = null;
    connection.keepEarly(asBuffer(received));
    connect(connection, decision.route);
  } else {
    connection.phase = "turn";
    connection.edge.pool.turns.run(() => {
      if (connection.phase !== "turn") return; // the client has left meanwhile
      const bytes = connection.takeEarly(asBuffer(received));
      if (connection.edge.snapshot === snapshot) terminate(connection, decision, hello, bytes, snapshot.certificates);
      else {
        // A reload came first: nobody is let in by rules that are no more.
        unchoose(connection);
        routeTls(connection, hello, bytes);
      }
    });
  }
}

/** `connection.early` holds what the client has sent, if anything. */
export function routePlain(connection: Connection): void {
  connection.edge.deadlines.clear(connection);
  connection.hello = null;
  const decision = decidePlain(connection.edge.snapshot, connection.entryPoint.name, factsOf(connection, []));
  choose(connection, decision.route);
  if (decision.kind === "refuse") connection.finish(decision.reason);
  else connect(connection, decision.route);
}

/** Answers the hello with the alert unrecognized_name, which tells the client more than a silent close would. */
export function refuseName(
  connection: Connection,
  reason: "no-route" | "unknown-sni" | "router-off" | "no-certificate" | "acme-challenge",
): void {
  connection.socket.write(UNRECOGNIZED_NAME);
  connection.finish(reason);
}

function factsOf({ sni, clientAddress }: Connection, alpn: readonly string[]): Facts {
  return { sni, alpn, address: parseAddress(clientAddress) };
}

function choose(connection: Connection, route: Route | null): void {
  if (route === null) return;
  connection.route = route;
  connection.meters = route.meters;
  route.meters.connections++;
  route.meters.open++;
}

function unchoose(connection: Connection): void {
  const { meters } = connection;
  if (meters !== null) {
    meters.connections--;
    meters.open--;
  }
  connection.route = null;
  connection.meters = null;
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
