// Clients and brokers that say one thing each, for what a proxy makes of a first packet.

import type { Socket } from "node:net";
import { tcpServer, tlsClient } from "./clients.ts";
import { waitFor } from "./tools.ts";

export interface Answered {
  readonly socket: Socket;
  /** All that has come back so far, in hexadecimal. */
  received(): string;
  isClosed(): boolean;
  /** Resolves to what came back, once the other side has closed. */
  closed(): Promise<string>;
  /** Resolves once so much came back. */
  until(hex: string): Promise<unknown>;
}

/** A TLS client that sends these bytes after its handshake. */
export async function opening(
  port: number,
  servername: string,
  bytes: Uint8Array,
  options: { cert?: string; key?: string } = {},
): Promise<Answered> {
  const socket = await tlsClient(port, { servername, ...options });
  const answered = answers(socket);
  socket.write(bytes);
  return answered;
}

export function answers(socket: Socket): Answered {
  let received = "";
  let isClosed = false;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("hex");
  });
  const over = () => {
    isClosed = true;
  };
  socket.on("end", over);
  socket.on("close", over);
  return {
    socket,
    received: () => received,
    isClosed: () => isClosed,
    closed: () => waitFor("the connection to be closed", () => (isClosed ? { received } : null)).then(() => received),
    until: (hex) => waitFor(`to receive ${hex}`, () => received.includes(hex) || null),
  };
}

/** A broker that keeps what it gets, and sends `answer` to whoever sends something first. */
export async function recordingBroker(answer: Uint8Array) {
  const streams: { bytes: Buffer; socket: Socket }[] = [];
  const server = await tcpServer((socket) => {
    const stream = { bytes: Buffer.alloc(0), socket };
    streams.push(stream);
    socket.once("data", () => socket.write(answer));
    socket.on("data", (chunk: Buffer) => {
      stream.bytes = Buffer.concat([stream.bytes, chunk]);
    });
    socket.on("end", () => socket.end());
  });
  return { ...server, streams };
}
