// Identify: the verdict on the certificate that the client has shown, by the options in force now.

import type { HandshakeError, NativeTlsSocket } from "../../net/socket.ts";
import { printable } from "../../text/printable.ts";
import { type ClientAuthReject, judgeClient } from "../../tls/client-auth.ts";
import { clientNameOf } from "../../tls/client-names.ts";
import { verifies } from "../../tls/options.ts";
import type { Connection } from "../connection.ts";
import type { Termination } from "../tables.ts";

/** Longest client-certificate subject that is kept for the log, in characters. */
const MAX_SUBJECT = 256;

/** null: the client may come in. */
export function identify(
  { record, socket }: Connection,
  { name, options }: Termination,
  error: HandshakeError | null,
): ClientAuthReject | null {
  if (options.clientAuth === "NoClientCert") return null;
  const certificate = (socket as NativeTlsSocket).getPeerX509Certificate();
  if (certificate !== undefined) record.clientSubject = printable(clientNameOf(certificate).slice(0, MAX_SUBJECT));
  const verdict = judgeClient(options, certificate, error, Date.now());
  if (verdict.kind === "refused") return verdict.reason;
  if (certificate !== undefined) record.certificate = verifies(options.clientAuth) ? "verified" : "unverified";
  record.revocable = verdict.revocable;
  record.options = name;
  return null;
}
