// Raw clients and servers for what MQTT programs cannot do: stalling, half-closing, resetting, counting bytes.

import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { greeting } from "./backend.ts";
import { cleanup, waitFor } from "./tools.ts";

/** A TCP server on a free loopback port; `accept` gets every connection. Half-open sockets are kept. */
export async function tcpServer(
  accept: (socket: Socket) => void,
): Promise<{ port: number; sockets: Set<Socket>; server: Server; accepted: () => number }> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  cleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, sockets, server, accepted: () => accepted };
}

/** A TLS client whose handshake is over. */
export function tlsClient(
  port: number,
  options: {
    servername?: string;
    ca?: string;
    host?: string;
    cert?: string;
    key?: string;
    localAddress?: string;
  } = {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: options.host ?? "127.0.0.1",
      port,
      servername: options.servername ?? "localhost",
      rejectUnauthorized: options.ca !== undefined,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.cert === undefined ? {} : { cert: options.cert, key: options.key }),
      allowHalfOpen: true,
    } as never);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

export interface StayingClient {
  readonly closed: boolean;
  /** Sends something and waits until it has come back. */
  echo(): Promise<void>;
}

/** A TLS client that stays, after the greeting of a Backend of this name. */
export async function stayingClient(backend: string, options: ConnectionOptions): Promise<StayingClient> {
  const socket = connectTls({ host: "127.0.0.1", ...options });
  const state = { closed: false, received: "" };
  socket.on("data", (chunk) => {
    state.received += chunk.toString();
  });
  socket.on("close", () => {
    state.closed = true;
  });
  socket.on("error", () => {});
  cleanup(() => socket.destroy());
  await waitFor("the greeting", () => state.received === greeting(backend));
  return {
    get closed() {
      return state.closed;
    },
    async echo() {
      state.received = "";
      socket.write("still here");
      await waitFor("the echo", () => state.received === "still here");
    },
  };
}

/** A plain client that may be closed at any moment, also instead of being connected. */
export function looseClient(port: number): Promise<{ socket: Socket; closed: Promise<void> }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const closed = new Promise<void>((done) => socket.on("close", () => done()));
    socket.on("error", () => {});
    socket.on("connect", () => resolve({ socket, closed }));
    void closed.then(() => resolve({ socket, closed }));
  });
}

/** A plain client that is connected. */
export function tcpClient(port: number, host = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Everything a socket sends until it ends, as its length and SHA-256. */
export function drainHash(socket: Socket): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.on("end", () => resolve({ bytes, sha256: hash.digest("hex") }));
    socket.on("error", reject);
    socket.on("close", (hadError: boolean) => {
      if (hadError) reject(new Error(`reset after ${bytes} bytes`));
    });
  });
}

/**
 * `total` bytes that no compression or repetition hides, in order, written with back-pressure. Resolves with their SHA-256, or with that
 * of all that `hash` has seen.
 */
export async function sendPattern(
  socket: Socket,
  total: number,
  seed = 1,
  hash = createHash("sha256"),
): Promise<string> {
  const chunkSize = 64 * 1024;
  let state = seed >>> 0;
  for (let sent = 0; sent < total; sent += chunkSize) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, total - sent));
    for (let i = 0; i < chunk.length; i += 4) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      chunk.writeUInt8(state >>> 24, i);
      for (let j = 1; j < 4 && i + j < chunk.length; j++) chunk[i + j] = (state >>> (8 * (3 - j))) & 0xff;
    }
    hash.update(chunk);
    if (!socket.write(chunk)) await new Promise((next) => socket.once("drain", next));
  }
  return hash.copy().digest("hex");
}

/** What a real client sends first. */
export async function helloFor(name: string): Promise<Buffer> {
  return new Promise((resolve) => {
    void tcpServer((socket) => socket.once("data", resolve)).then(({ port }) =>
      connectTls({ host: "127.0.0.1", port, servername: name, rejectUnauthorized: false }).on("error", () => {}),
    );
  });
}
