// TLS on an open socket: as server towards clients, as client towards brokers.

import type { SecureContext } from "node:tls";
import { HANDLERS, type NativeSocket, type NativeTlsSocket, NOBODY, type SocketOwner } from "./socket.ts";

/** Who watches a handshake from beside it: the owner of the raw twin. */
export interface HandshakeWatcher extends SocketOwner {
  /** The socket below TLS; what is written to it goes past the TLS library. */
  raw: NativeSocket | null;
  /** The secrets of the session are wanted, in `onSecret`. */
  readonly wantsSecret: boolean;
  /** A line of the key log (NSS's format), before `onHandshake` is called. */
  onSecret(line: Buffer): void;
}

export interface ServerUpgrade {
  /** `tls.createSecureContext(...).context`, shared by all connections with the same options and certificate. */
  readonly context: SecureContext["context"];
  /** The client is asked for a certificate; whether it needs one, and a good one, is for the caller to say in onHandshake. */
  readonly requestCert: boolean;
  /** ALPN in wire format (RFC 7301 3.1), or null: then whatever the client offers is left unanswered. */
  readonly alpn: Buffer | null;
  /** The most bytes of content that a record to the client has, handshake included; 0: as many as TLS allows. 512 at least (BoringSSL). */
  readonly maxRecord: number;
}

/**
 * Starts a TLS handshake as server on an accepted socket; `received` is what was read already, the ClientHello.
 * The new socket belongs to `owner`; the old one is its raw twin, which still sees the ciphertext go by, until `watcher.raw` is
 * given back with `unwatch`.
 */
export function upgradeServer(
  socket: NativeSocket,
  received: Buffer,
  options: ServerUpgrade,
  owner: SocketOwner,
  watcher: HandshakeWatcher | null = null,
): NativeTlsSocket {
  socket.data = watcher ?? NOBODY;
  const tls: Record<string, unknown> = { secureContext: options.context };
  if (options.requestCert) {
    tls.requestCert = true;
    // With true Bun closes the socket before it calls `handshake`, and no alert can be sent.
    tls.rejectUnauthorized = false;
  }
  if (options.alpn !== null) tls.ALPNProtocols = options.alpn;
  const upgrade = { isServer: true, initialData: received, tls, data: owner, socket: handlersFor(options, watcher) };
  const [raw, upgraded] = socket.upgradeTLS(upgrade);
  if (watcher !== null) watcher.raw = raw;
  return upgraded as NativeTlsSocket;
}

/** The handshake is over: nobody watches it any more. */
export function unwatch(watcher: HandshakeWatcher): void {
  if (watcher.raw !== null) watcher.raw.data = NOBODY;
  watcher.raw = null;
}

function handlersFor({ maxRecord }: ServerUpgrade, watcher: HandshakeWatcher | null): object {
  if (maxRecord === 0 && !watcher?.wantsSecret) return HANDLERS;
  const handlers: Record<string, unknown> = { ...HANDLERS };
  // `open` comes before the first byte of the handshake, so the limit is for all of it.
  if (maxRecord !== 0) handlers.open = (socket: NativeTlsSocket) => socket.setMaxSendFragment(maxRecord);
  if (watcher?.wantsSecret) handlers.keylog = (_socket: NativeTlsSocket, line: Buffer) => watcher.onSecret(line);
  return handlers;
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
