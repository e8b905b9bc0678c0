// A proxy between a client and a server that notes how long the TLS records are that the server sends.

import { connect, createServer } from "node:net";
import { cleanup } from "./tools.ts";

export interface RecordProxy {
  readonly port: number;
  /** Of the last connection: type and length of each record, without its header. */
  readonly records: () => { type: number; length: number }[];
}

export async function recordProxy(target: number): Promise<RecordProxy> {
  let received = Buffer.alloc(0);
  const server = createServer((client) => {
    received = Buffer.alloc(0);
    const upstream = connect(target, "127.0.0.1");
    upstream.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    for (const each of [client, upstream]) each.on("error", () => {});
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((next) => server.listen(0, "127.0.0.1", next));
  cleanup(() => server.close());
  const records = () => {
    const all: { type: number; length: number }[] = [];
    for (let at = 0; at + 5 <= received.length; at += 5 + received.readUInt16BE(at + 3))
      all.push({ type: received[at]!, length: received.readUInt16BE(at + 3) });
    return all;
  };
  return { port: (server.address() as { port: number }).port, records };
}
