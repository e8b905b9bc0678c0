// What a server is told of a client in a PROXY header, out of what is known of the connection.

import { randomBytes } from "node:crypto";
import { ClientIdentity } from "../certs/client-identity.ts";
import { parseAddress } from "../ip/address.ts";
import type { NativeTlsSocket } from "../net/socket.ts";
import type { ProxyProtocolOut, ProxyTlv } from "../upstream/service.ts";
import { type ProxyTlsFacts, type ProxyWritten, writeProxyHeader, writeProxyLine } from "../wire/proxy-header.ts";
import type { Endpoint } from "../wire/proxy-protocol.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionRecord } from "./record.ts";

/** Bytes of a unique id: the text allows 128. */
const ID_BYTES = 16;

/** `client-gone`: who has reset the connection has no address any more, and a server must be told a right one or none. */
type HeaderOf = ProxyWritten | { readonly kind: "refuse"; readonly reason: "client-gone" };

export function proxyHeaderOf(connection: Connection, { version, tlvs }: ProxyProtocolOut): HeaderOf {
  const { record } = connection;
  const source = endpoint(record.clientAddress, record.clientPort);
  const { address, port } = connection.dialled;
  const destination = endpoint(address, port);
  if (source === null || destination === null) return { kind: "refuse", reason: "client-gone" };
  if (version === 1) return { kind: "ok", bytes: writeProxyLine({ source, destination }) };
  const wants = (tlv: ProxyTlv) => tlvs.includes(tlv);
  const endsHere = record.tlsVersion !== "";
  const tls = wants("ssl") && endsHere ? tlsFactsOf(connection) : null;
  if (tls === "unusable") return { kind: "refuse", reason: "common-name-unusable" };
  const uniqueId = wants("uniqueId") ? uniqueIdOf(record) : null;
  const written = writeProxyHeader({
    source,
    destination,
    alpn: wants("alpn") ? (endsHere ? record.alpn : record.offeredAlpn) : "",
    authority: wants("authority") ? record.sni : "",
    uniqueId,
    crc32c: wants("crc32c"),
    tls,
  });
  // One for which there was no room is nobody's.
  if (uniqueId !== null && written.kind === "ok" && written.bytes.includes(uniqueId))
    record.uniqueId = uniqueId.toString("hex");
  return written;
}

function endpoint(address: string, port: number): Endpoint | null {
  const bytes = parseAddress(address);
  return bytes === null ? null : { address: bytes, port };
}

/** The same for every server of a connection. */
function uniqueIdOf({ uniqueId }: ConnectionRecord): Buffer {
  return uniqueId === "" ? randomBytes(ID_BYTES) : Buffer.from(uniqueId, "hex");
}

/** 0 is "verified"; a number that is no X.509 error stands for everything else. */
const [VERIFIED, NOT_VERIFIED] = [0, 1];

/** `unusable`: the client has a common name that two readers could take for two, and without one it would be another client. */
function tlsFactsOf({ socket, record }: Connection): ProxyTlsFacts | "unusable" {
  const tls = socket as NativeTlsSocket;
  const facts = {
    version: record.tlsVersion,
    // As OpenSSL calls it, because receivers compare it with that.
    cipher: tls.getCipher().name,
    resumed: tls.isSessionReused(),
  };
  const certificate = record.certificate === "none" ? undefined : tls.getPeerX509Certificate();
  if (certificate === undefined) return { ...facts, certificate: null };
  const name = new ClientIdentity(certificate.raw).firstCommonName();
  if (name.kind === "unusable") return "unusable";
  return {
    ...facts,
    certificate: {
      commonName: name.kind === "ok" ? name.text : null,
      verify: record.certificate === "verified" ? VERIFIED : NOT_VERIFIED,
    },
  };
}
