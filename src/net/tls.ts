// TLS on an open socket: as server towards clients, as client towards brokers.

import type { SecureContext } from "node:tls";
import { HANDLERS, type NativeSocket, type NativeTlsSocket, NOBODY, type SocketOwner } from "./socket.ts";

export interface ServerUpgrade {
  /** `tls.createSecureContext(...).context`, shared by all connections with the same options and certificate. */
  readonly context: SecureContext["context"];
  readonly requestCert: boolean;
  /** true answers a missing client certificate with an alert; every other check is the caller's, in onHandshake. */
  readonly rejectUnauthorized: boolean;
  /** ALPN in wire format (RFC 7301 3.1), or null: then whatever the client offers is left unanswered. */
  readonly alpn: Buffer | null;
}

/**
 * Starts a TLS handshake as server on an accepted socket; `received` is what was read already, the ClientHello.
 * The new socket belongs to `owner`; the old one is its raw twin, which still sees the ciphertext go by.
 */
export function upgradeServer(
  socket: NativeSocket,
  received: Buffer,
  options: ServerUpgrade,
  owner: SocketOwner,
): NativeTlsSocket {
  socket.data = NOBODY;
  const tls: Record<string, unknown> = { secureContext: options.context };
  if (options.requestCert) {
    tls.requestCert = true;
    tls.rejectUnauthorized = options.rejectUnauthorized;
  }
  if (options.alpn !== null) tls.ALPNProtocols = options.alpn;
  const [, upgraded] = socket.upgradeTLS({ isServer: true, initialData: received, tls, data: owner, socket: HANDLERS });
  return upgraded as NativeTlsSocket;
}

export interface ClientUpgrade {
  readonly context: SecureContext["context"];
  /** SNI; "" sends none, as for an IP address (RFC 6066 3). */
  readonly serverName: string;
}

/** Starts a TLS handshake as client. The server's certificate is checked by the caller, in onHandshake. */
export function upgradeClient(socket: NativeSocket, options: ClientUpgrade, owner: SocketOwner): NativeTlsSocket {
  socket.data = NOBODY;
  const tls: Record<string, unknown> = { secureContext: options.context, rejectUnauthorized: false };
  if (options.serverName !== "") tls.serverName = options.serverName;
  const [, upgraded] = socket.upgradeTLS({ tls, data: owner, socket: HANDLERS });
  return upgraded as NativeTlsSocket;
}

/** ALPN names in wire format: each with its length before it (RFC 7301 3.1). */
export function encodeAlpn(protocols: readonly string[]): Buffer {
  return Buffer.concat(
    protocols.map((name) =>
      Buffer.concat([Buffer.from([Buffer.byteLength(name, "latin1")]), Buffer.from(name, "latin1")]),
    ),
  );
}
