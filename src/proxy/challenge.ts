// TLS-ALPN-01 (RFC 8737): an authority's look at the certificate that proves a name. It comes before every route and never reaches a
// broker; the connection ends with the handshake, so whoever asks for this protocol gets nowhere else.

import { createSecureContext } from "node:tls";
import { closeGracefully, NOBODY } from "../net/socket.ts";
import { encodeAlpn, upgradeServer } from "../net/tls.ts";
import type { Connection } from "./connection.ts";

const ACME_ALPN = encodeAlpn(["acme-tls/1"]);

/** Answers the challenge for `name` if one is under way; false if there is none. */
export function answerChallenge(connection: Connection, name: string, received: Buffer): boolean {
  const { edge } = connection;
  const challenge = edge.challenges.get(name);
  if (challenge === undefined) return false;
  const { context } = createSecureContext({ cert: challenge.cert, key: challenge.key, minVersion: "TLSv1.2" });
  connection.phase = "challenge";
  connection.hello = null;
  edge.deadlines.set(connection, connection.entryPoint.readTimeoutMs);
  const options = { context, requestCert: false, rejectUnauthorized: false, alpn: ACME_ALPN };
  const upgraded = upgradeServer(connection.socket, received, options, connection);
  // The handshake may have failed within the call.
  if (connection.phase === "challenge") connection.socket = upgraded;
  else {
    upgraded.data = NOBODY;
    closeGracefully(upgraded);
  }
  return true;
}
