// The access log: one line per connection, when it ends.

import type { Logger } from "pino";
import type { Connection } from "../proxy/connection.ts";
import type { Reason } from "../proxy/reasons.ts";

/** Writes the line of `connection`. Empty fields are left out; bytes are those of the MQTT stream, `durationMs` counts from accept. */
export function logAccess(
  logger: Logger,
  connection: Connection,
  reason: Reason,
  bytesIn: number,
  bytesOut: number,
): void {
  const { meters, entryPoint } = connection;
  logger.info(
    {
      entryPoint: entryPoint.name,
      router: meters?.router,
      service: meters?.service,
      server: connection.server || undefined,
      client: connection.clientAddress,
      clientPort: connection.clientPort,
      sni: connection.sni || undefined,
      alpn: connection.alpn || undefined,
      tlsVersion: connection.tlsVersion || undefined,
      tlsCipher: connection.tlsCipher || undefined,
      clientSubject: connection.clientSubject || undefined,
      bytesIn,
      bytesOut,
      durationMs: Math.round(performance.now() - connection.startedAt),
      reason,
    },
    "access",
  );
}
