// Messages between the masters of one Sluice, which are no parent and child of each other: JSON, one a line, over an abstract Unix socket
// (unix(7)). It needs no directory that can be written, and is gone with its process. Anybody on the machine can connect to it, so the
// first line must be a secret.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";

export interface ChannelAddress {
  readonly name: string;
  readonly secret: string;
}

/** Who has not shown the secret may send so much, wait so long, and be so many. */
const MAX_STRANGER_BYTES = 256;
const STRANGER_MS = 5000;
const MAX_STRANGERS = 32;
/** A line of who has: metrics of 100 000 routers are some 50 MB. */
const MAX_LINE = 256 * 1024 * 1024;

/** One end. What comes before `listen` waits. */
export class Channel {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #bytes = 0;
  #onMessage: ((message: unknown) => void) | null = null;
  #onClose: () => void = () => {};
  #waiting: unknown[] = [];
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => {
      this.#isClosed = true;
      if (this.#onMessage !== null) this.#onClose();
    });
  }

  /** From now on. `onClose` is told once, also where it is closed already. */
  listen(onMessage: (message: unknown) => void, onClose: () => void): void {
    this.#onClose = onClose;
    this.#onMessage = onMessage;
    for (const message of this.#waiting.splice(0)) onMessage(message);
    if (this.#isClosed) onClose();
  }

  /** Is lost where the other end is gone. */
  send(message: object): void {
    if (!this.#isClosed) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Closes it once everything is sent. */
  end(): void {
    this.#socket.end();
  }

  #take(data: Buffer): void {
    let from = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, from)) {
      this.#parts.push(data.subarray(from, end));
      from = end + 1;
      this.#line();
    }
    if (from === data.length) return;
    this.#parts.push(data.subarray(from));
    this.#bytes += data.length - from;
    if (this.#bytes > MAX_LINE) this.#socket.destroy();
  }

  #line(): void {
    const text = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    this.#bytes = 0;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#socket.destroy(); // another version, which speaks something else
      return;
    }
    if (this.#onMessage === null) this.#waiting.push(message);
    else this.#onMessage(message);
  }
}

export interface ChannelServer {
  readonly address: ChannelAddress;
  /** Channels that are open stay open. */
  close(): void;
}

/** Listens under a new name. @throws the system's error, where it has no abstract sockets. */
export function serveChannels(onChannel: (channel: Channel) => void): Promise<ChannelServer> {
  const address = { name: `sluice-${randomBytes(12).toString("hex")}`, secret: randomBytes(32).toString("hex") };
  const server = createServer((socket) => admit(socket, address.secret, onChannel));
  server.on("error", () => {});
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(`\0${address.name}`, () => resolve({ address, close: () => void server.close() }));
  });
}

const strangers = new Set<Socket>();

function admit(socket: Socket, secret: string, onChannel: (channel: Channel) => void): void {
  socket.on("error", () => {});
  if (strangers.size >= MAX_STRANGERS) return void socket.destroy();
  strangers.add(socket);
  const timer = setTimeout(() => socket.destroy(), STRANGER_MS);
  const known = () => {
    clearTimeout(timer);
    strangers.delete(socket);
  };
  socket.once("close", known);
  let seen = Buffer.alloc(0);
  const onData = (data: Buffer) => {
    seen = Buffer.concat([seen, data]);
    const end = seen.indexOf(10);
    if (end < 0 && seen.length <= MAX_STRANGER_BYTES) return;
    socket.off("data", onData);
    if (end < 0 || !isSame(seen.toString("latin1", 0, end), secret)) return void socket.destroy();
    known();
    const channel = new Channel(socket);
    if (end + 1 < seen.length) socket.emit("data", seen.subarray(end + 1));
    onChannel(channel);
  };
  socket.on("data", onData);
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}

/** @throws the system's error where nobody listens there. */
export function dialChannel({ name, secret }: ChannelAddress): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const socket = connect(`\0${name}`, () => {
      socket.off("error", reject);
      socket.write(`${secret}\n`);
      resolve(new Channel(socket));
    });
    socket.once("error", reject);
  });
}
