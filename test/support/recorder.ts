// Servers that note what each connection has sent them, read by read.

import { connect } from "node:net";
import { parseProxyHeader } from "../../src/wire/proxy-protocol.ts";
import { greeting } from "./backend.ts";
import { tcpServer } from "./clients.ts";
import { waitFor } from "./tools.ts";

export class Recorder {
  readonly port: number;
  /** The reads of each connection. */
  readonly connections: Buffer[][];

  private constructor(port: number, connections: Buffer[][]) {
    this.port = port;
    this.connections = connections;
  }

  /** One that greets whoever has sent something. */
  static async start(): Promise<Recorder> {
    const connections: Buffer[][] = [];
    const { port } = await tcpServer((socket) => {
      const reads: Buffer[] = [];
      connections.push(reads);
      socket.on("data", (chunk: Buffer) => {
        if (reads.length === 0) socket.write(greeting("recorder"));
        reads.push(chunk);
      });
      socket.on("end", () => socket.end());
    });
    return new Recorder(port, connections);
  }

  /** One that passes on to another server what is behind a PROXY header. */
  static async before(server: number): Promise<Recorder> {
    const connections: Buffer[][] = [];
    const { port } = await tcpServer((socket) => {
      const reads: Buffer[] = [];
      connections.push(reads);
      const on = connect({ host: "127.0.0.1", port: server });
      let passedOn = 0;
      on.on("data", (chunk) => socket.write(chunk)).on("error", () => {});
      on.on("end", () => socket.end());
      socket.on("data", (chunk: Buffer) => {
        reads.push(chunk);
        const all = Buffer.concat(reads);
        const header = parseProxyHeader(all);
        if (header.kind !== "ok") return;
        on.write(all.subarray(Math.max(passedOn, header.length)));
        passedOn = all.length;
      });
      socket.on("end", () => on.end());
    });
    return new Recorder(port, connections);
  }

  /** What the connection with this number has sent; that of the latest one without a number. Waits until there is something. */
  sent(number = Math.max(0, this.connections.length - 1)): Promise<Buffer> {
    return waitFor("the server to read", () => {
      const reads = this.connections[number];
      return reads === undefined || reads.length === 0 ? null : Buffer.concat(reads);
    });
  }
}
