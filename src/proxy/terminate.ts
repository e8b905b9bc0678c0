// Terminate: the TLS handshake with the route's options, and the verdict on the client's certificate. Nothing is dialled before it.

import { closeGracefully, type HandshakeError, type NativeTlsSocket, NOBODY, unmap } from "../net/socket.ts";
import { encodeAlpn, upgradeServer } from "../net/tls.ts";
import type { CertificateStore } from "../tls/certificates.ts";
import { judgeClient } from "../tls/client-auth.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { certificateFor, type Decision, protocolsFor } from "./decide.ts";
import { type Hello, refuseName } from "./route.ts";

const MQTT_ALPN = encodeAlpn(["mqtt"]);
/** Longest client-certificate subject that is kept for the log, in characters. */
const MAX_SUBJECT = 256;

export function terminate(
  connection: Connection,
  { termination }: Extract<Decision, { kind: "terminate" }>,
  hello: Hello,
  received: Buffer,
  certificates: CertificateStore,
): void {
  const { edge, entryPoint } = connection;
  const { options } = termination;
  // Without SNI the address that the client dialled is the name it wants, as in Traefik.
  const name = connection.sni === "" ? unmap(connection.socket.localAddress) : connection.sni;
  const certificate = certificateFor(certificates, termination, name, hello);
  if (certificate === null) return refuseName(connection, "no-certificate");
  const context = edge.serverContext(options, certificate);
  if (context === null) return refuseName(connection, "no-certificate");

  connection.phase = "handshake";
  connection.hello = null;
  edge.deadlines.set(connection, entryPoint.readTimeoutMs);
  connection.handshakeStartedAt = performance.now();
  const upgrade = {
    context,
    requestCert: options.clientAuth !== "NoClientCert",
    rejectUnauthorized: options.clientAuth === "RequireAndVerifyClientCert",
    alpn: termination.alpn ?? (protocolsFor(termination, hello.alpn) === null ? null : MQTT_ALPN),
  };
  // The handshake may fail within this call, when the rest of the flight is here already: then the connection is closed by now.
  const upgraded = upgradeServer(connection.socket, received, upgrade, connection);
  if (connection.phase === "handshake") connection.socket = upgraded;
  else {
    upgraded.data = NOBODY;
    closeGracefully(upgraded);
  }
}

export function afterHandshake(
  connection: Connection,
  socket: NativeTlsSocket,
  success: boolean,
  error: HandshakeError | null,
): void {
  const { edge, route } = connection;
  const { name, options } = route!.termination!;
  const asked = options.clientAuth !== "NoClientCert";
  if (!success) {
    const missing = asked && error?.message.includes("PEER_DID_NOT_RETURN_A_CERTIFICATE");
    return connection.finish(missing ? "client-certificate-missing" : "handshake-failed");
  }
  // TLS facts are copied now, once: after the socket is closed its getters answer nothing.
  connection.tlsVersion = intern(socket.getTLSVersion());
  connection.tlsCipher = intern(socket.getCipher().standardName);
  if (socket.alpnProtocol) connection.alpn = intern(socket.alpnProtocol);
  if (asked) {
    const certificate = socket.getPeerX509Certificate();
    if (certificate !== undefined) connection.clientSubject = printable(certificate.subject);
    const verdict = judgeClient(options, certificate, error, Date.now(), edge.snapshot.optionsOf(name));
    if (verdict.kind === "refused") return connection.finish(verdict.reason);
    connection.revocable = verdict.revocable;
    connection.options = name;
  }
  edge.deadlines.clear(connection);
  edge.observer.onHandshake(
    connection.tlsVersion,
    socket.isSessionReused(),
    performance.now() - connection.handshakeStartedAt,
  );
  connect(connection, route!);
}

/** The few words that many connections share are kept once. Bounded by what the TLS library and the configuration can say. */
const interned = new Map<string, string>();
const MAX_INTERNED = 256;

function intern(word: string): string {
  const known = interned.get(word);
  if (known !== undefined) return known;
  if (interned.size < MAX_INTERNED) interned.set(word, word);
  return word;
}

/** One line of printable characters: what a client's certificate says comes from outside. */
function printable(subject: string): string {
  return subject
    .replace(/\n/g, ", ")
    .replace(/[^\x20-\x7e\u00a1-\uffff]/g, "?")
    .slice(0, MAX_SUBJECT);
}
