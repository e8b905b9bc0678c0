// Whether a server is who it should be, once the TLS handshake with it is over.

import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { HandshakeError, NativeTlsSocket } from "./socket.ts";

/** null: it is. `name` is what its certificate must be for, unless `insecure`. The rest is what `onHandshake` was given. */
export function judgeServer(
  socket: NativeTlsSocket,
  success: boolean,
  error: HandshakeError | null,
  name: string,
  insecure: boolean,
): "tls" | "certificate" | null {
  // Under a wrong name Bun calls a sound handshake failed, whatever rejectUnauthorized is; a truly failed one says EPROTO.
  if (!success && (error === null || error.code === "EPROTO")) return "tls";
  if (insecure) return null;
  if (error !== null) return "certificate";
  const certificate = socket.getPeerCertificate() as PeerCertificate | undefined;
  return certificate === undefined || checkServerIdentity(name, certificate) !== undefined ? "certificate" : null;
}
