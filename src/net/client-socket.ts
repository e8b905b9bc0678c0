// A connection from the master to a server of its own, such as a store of routes: few of them, so Node's sockets do.

import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export type ClientSocket = Socket;

export interface ClientSecurity {
  /** PEM. Without it, the public authorities. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The server's certificate must be good, and for its host. */
  readonly isChecked: boolean;
}

/** Begins to connect; how it goes, the socket's events tell. `security` is null for a connection without TLS. */
export function clientSocket(host: string, port: number, security: ClientSecurity | null): ClientSocket {
  if (security === null) return connectPlain({ host, port, noDelay: true });
  const { isChecked, ...material } = security;
  return connectTls({
    host,
    port,
    ...material,
    rejectUnauthorized: isChecked,
    // TLS does not allow an address as a server name.
    ...(isIP(host) > 0 ? {} : { servername: host }),
  });
}
