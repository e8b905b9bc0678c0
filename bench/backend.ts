// The broker's stand-in: one process that counts connections and bytes, answers CONNECT, and then does what the
// client id asks: echo every byte, swallow and check `sink:<bytes>`, or send `source:<bytes>`. Plain TCP on one port;
// the same over TLS on another, for passthrough. Started by harness.ts, speaks over Bun's IPC.
import { readFileSync } from "node:fs";
import type { Socket } from "bun";
import { BULK_PACKET, bulkPublish, CONNACK, type NumberedPublish, readConnect, sinkReceipt } from "./mqtt.ts";

interface Peer {
  readonly head: Buffer[];
  role: "unknown" | "echo" | "sink" | "source";
  /** What write() did not take, and reading is paused until it has. */
  held: Buffer | null;
  expect: NumberedPublish | null;
  sequence: number;
  offset: number;
  /** Bytes still to come (sink) or to be written (source), and how many there are in all. */
  left: number;
  total: number;
}

/** What harness.ts asks for with the message "count". */
export interface BackendCounters {
  connections: number;
  open: number;
  bytes: number;
}

const counters: BackendCounters = { connections: 0, open: 0, bytes: 0 };

const handlers = {
  open(socket: Socket<Peer>): void {
    socket.data = { head: [], role: "unknown", held: null, expect: null, sequence: 0, offset: 0, left: 0, total: 0 };
    socket.setNoDelay(true);
    counters.connections++;
    counters.open++;
  },
  data(socket: Socket<Peer>, chunk: Buffer): void {
    counters.bytes += chunk.length;
    const peer = socket.data;
    if (peer.role === "echo") write(socket, peer, chunk);
    else if (peer.role === "sink") sink(socket, peer, chunk);
    else if (peer.role === "unknown") greet(socket, peer, chunk);
  },
  drain(socket: Socket<Peer>): void {
    const peer = socket.data;
    if (peer.held) {
      const rest = peer.held;
      peer.held = null;
      write(socket, peer, rest);
      if (peer.held) return;
      socket.resume();
    }
    if (peer.role === "source") pour(socket, peer);
  },
  close(): void {
    counters.open--;
  },
  error(): void {},
};

function greet(socket: Socket<Peer>, peer: Peer, chunk: Buffer): void {
  peer.head.push(chunk);
  const bytes = peer.head.length === 1 ? chunk : Buffer.concat(peer.head);
  const connect = readConnect(bytes);
  if (!connect) return;
  const [role, amount] = connect.clientId.split(":");
  peer.role = role === "sink" || role === "source" ? role : "echo";
  peer.left = peer.total = Number(amount ?? 0);
  if (peer.role !== "echo") peer.expect = bulkPublish();
  write(socket, peer, CONNACK);
  const rest = bytes.subarray(connect.length);
  if (peer.role === "source") pour(socket, peer);
  else if (rest.length > 0) (peer.role === "echo" ? write : sink)(socket, peer, rest);
}

function sink(socket: Socket<Peer>, peer: Peer, chunk: Buffer): void {
  let at = 0;
  while (at < chunk.length) {
    const expect = peer.expect!.numbered(peer.sequence);
    const n = Math.min(expect.length - peer.offset, chunk.length - at);
    // A wrong byte cuts the connection, which the generator reports as a failed run.
    if (chunk.compare(expect, peer.offset, peer.offset + n, at, at + n) !== 0) {
      socket.terminate();
      return;
    }
    at += n;
    peer.offset += n;
    peer.left -= n;
    if (peer.offset === expect.length) {
      peer.offset = 0;
      peer.sequence++;
    }
  }
  if (peer.left === 0) write(socket, peer, sinkReceipt(peer.total));
}

function pour(socket: Socket<Peer>, peer: Peer): void {
  while (peer.left > 0 && !peer.held) {
    const packet = peer.expect!.numbered(peer.sequence++);
    peer.left -= BULK_PACKET;
    write(socket, peer, packet);
  }
}

function write(socket: Socket<Peer>, peer: Peer, bytes: Buffer): void {
  if (peer.held) {
    // data that was already decrypted still arrives after pause(): append.
    peer.held = Buffer.concat([peer.held, bytes]);
    return;
  }
  const taken = Math.max(0, socket.write(bytes));
  if (taken === bytes.length) return;
  // A copy, because the bulk packet is renumbered in place.
  peer.held = Buffer.from(bytes.subarray(taken));
  socket.pause();
}

const { BENCH_KEY: keyFile, BENCH_CERT: certFile } = process.env;
const plain = Bun.listen<Peer>({ hostname: "127.0.0.1", port: Number(process.env.BENCH_PORT), socket: handlers });
const tls = Bun.listen<Peer>({
  hostname: "127.0.0.1",
  port: Number(process.env.BENCH_TLS_PORT),
  socket: handlers,
  tls: { key: readFileSync(keyFile!), cert: readFileSync(certFile!) },
});
process.on("message", (message) => {
  if (message === "count") process.send!(counters);
});
process.on("disconnect", () => process.exit(0));
process.send!({ ready: [plain.port, tls.port] });
