// A bare TCP client, for what no well-behaved program sends.

import { connect, createServer, type Socket } from "node:net";
import { cleanup, waitFor } from "./tools.ts";

export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  /** The other side has closed, with FIN or RST. */
  closed = false;
  readonly openedAt = performance.now();
  /** From the connect to the close by the other side, in milliseconds. */
  closedAfter = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    const over = () => {
      if (!this.closed) this.closedAfter = performance.now() - this.openedAt;
      this.closed = true;
    };
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", over);
    cleanup(() => socket.destroy());
  }

  /** `localAddress`: where it comes from, any of 127.0.0.0/8. */
  static open(port: number, localAddress = "127.0.0.1"): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new RawClient(socket)));
    });
  }

  /** Sends `bytes`, and resolves to all that came back once the other side has closed. */
  static async exchange(port: number, bytes: Uint8Array): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.socket.write(bytes);
    await client.untilClosed();
    return client;
  }

  /** Writes each byte as a TCP segment of its own. */
  async drip(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      await new Promise((sent) => this.socket.write(Uint8Array.of(byte), sent));
      await new Promise(setImmediate);
    }
  }

  untilClosed(): Promise<true> {
    return waitFor("the connection to be closed", () => this.closed || null);
  }

  until(text: string): Promise<true> {
    return waitFor(`to receive ${JSON.stringify(text)}`, () => this.received.includes(text) || null);
  }
}

/** A proxy in front of `port` that passes what clients send one byte at a time, each in a segment of its own. Returns its port. */
export function drippingProxy(port: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect({ host: "127.0.0.1", port, noDelay: true });
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    upstream.pipe(client);
    void (async () => {
      for await (const chunk of client as AsyncIterable<Buffer>)
        for (const byte of chunk) {
          await new Promise((sent) => upstream.write(Uint8Array.of(byte), sent));
          await new Promise(setImmediate);
        }
      upstream.end();
    })().catch(() => upstream.destroy());
  });
  cleanup(() => server.close());
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" ? address!.port : 0);
    });
  });
}

/** The port of a listener that takes one connection, and after it answers nobody: the kernel drops a SYN that finds the queue full. */
export async function deafListener(): Promise<number> {
  const script =
    "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(0, INADDR_LOOPBACK)); listen(S, 0);" +
    "$| = 1; print +(sockaddr_in(getsockname(S)))[0]; sleep 60";
  const deaf = Bun.spawn(["perl", "-e", script], { stdout: "pipe" });
  cleanup(async () => {
    deaf.kill("SIGKILL");
    await deaf.exited;
  });
  const { value } = await deaf.stdout.getReader().read();
  return Number(Buffer.from(value!).toString());
}
