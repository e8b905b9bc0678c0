// Shows hostile client certificates to a running Sluice, in two ways: a real TLS client with those that it can load, and by hand, in TLS
// 1.2 where the certificate is in the clear, with any.

import { type ConnectionOptions, connect } from "node:tls";
import { recordedHellos } from "../fixtures/hello/hellos.ts";
import type { HostileCertificate } from "./hostile-certificates.ts";
import { RawClient } from "./raw.ts";
import { waitFor } from "./tools.ts";

/** Resolves when the connection is over. "served": the server behind has answered. "not-loaded": the client itself refuses the certificate. */
export function showToTls(
  port: number,
  servername: string,
  { cert, key }: HostileCertificate,
  options: ConnectionOptions,
): Promise<"served" | "refused" | "not-loaded"> {
  return new Promise((resolve) => {
    let served = false;
    try {
      const socket = connect({ port, host: "127.0.0.1", servername, cert, key, rejectUnauthorized: false, ...options });
      socket.on("data", () => {
        served = true;
        socket.destroy();
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(served ? "served" : "refused"));
    } catch {
      resolve("not-loaded");
    }
  });
}

const HELLO = recordedHellos().find(({ name }) => name === "openssl-tls12")!.bytes;
const SERVER_HELLO_DONE = Buffer.from([0x0e, 0, 0, 0]);

/** Sends the certificate behind a recorded hello of TLS 1.2, for mqtt.example.com, and garbage behind it. `pieces`: bytes in a record. */
export async function showByHand(
  port: number,
  certificates: readonly Uint8Array[],
  pieces = 16_000,
): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.socket.write(HELLO);
  await waitFor("the server's flight", () => client.received.includes(SERVER_HELLO_DONE) || client.closed || null);
  client.socket.write(inRecords(certificateMessage(certificates), pieces));
  client.socket.write(Buffer.from("160303000410000000", "hex")); // an empty ClientKeyExchange
  await client.untilClosed();
  return client;
}

export function certificateMessage(certificates: readonly Uint8Array[]): Buffer {
  const list = Buffer.concat(certificates.map((each) => Buffer.concat([u24(each.length), each])));
  return Buffer.concat([Buffer.from([11]), u24(list.length + 3), u24(list.length), list]);
}

export function inRecords(message: Uint8Array, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 3, fragment.length >> 8, fragment.length & 0xff]), Buffer.from(fragment));
  }
  return Buffer.concat(records);
}

function u24(value: number): Buffer {
  return Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
}
