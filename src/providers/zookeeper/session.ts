// A session with a ZooKeeper server, over one connection: it ends with that. The client library for Node speaks no TLS and knows only the
// watches that fire once, of which 10 000 routers would need 60 000.

import { type ClientSocket, clientSocket } from "../../net/client-socket.ts";
import { readTls, type StoreTls } from "../store-tls.ts";
import { JuteReader, JuteWriter } from "./jute.ts";

export interface SessionOptions {
  /** host:port. */
  readonly endpoint: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: StoreTls | undefined;
}

/** After so long without a word the server ends the session. Milliseconds. */
const SESSION_MS = 20_000;
const CONNECT_MS = 5000;
/** getChildren of 100 000 nodes is less. */
const MAX_PACKET = 64 * 1024 * 1024;
const PASSWORD_BYTES = 16;
const LENGTH_BYTES = 4;

export const OP = {
  create: 1,
  delete: 2,
  getData: 4,
  setData: 5,
  getChildren: 8,
  ping: 11,
  multi: 14,
  auth: 100,
  addWatch: 106,
  close: -11,
} as const;

/** Numbers that the server's own packets have in the place of a request's. */
const XID = { event: -1, ping: -2, auth: -4 } as const;

export const ERROR = {
  unimplemented: -6,
  noNode: -101,
  noAuth: -102,
  nodeExists: -110,
  authFailed: -115,
} as const;

/** A request that the server refuses. */
export class ZooKeeperError extends Error {
  readonly code: number;

  constructor(code: number) {
    const name = Object.entries(ERROR).find(([, each]) => each === code)?.[0];
    super(`ZooKeeper answers with error ${code}${name === undefined ? "" : ` (${name})`}`);
    this.code = code;
  }
}

/** The connection has ended before the server has said a word. */
export class NoGreeting extends Error {}

interface Pending {
  resolve(answer: JuteReader): void;
  reject(error: Error): void;
}

export class Session {
  /** Resolves when the session is over, with the reason. */
  readonly ended: Promise<Error>;
  /** Called with the path of each node that is created, deleted or changed under a watch, before any answer that shows it. */
  onEvent: (path: string) => void = () => {};
  readonly #socket: ClientSocket;
  readonly #pending = new Map<number, Pending>();
  #parts: Buffer[] = [];
  #size = 0;
  /** So many bytes make the next packet, as far as is known. */
  #wanted = LENGTH_BYTES;
  #xid = 0;
  #heardAt = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;
  #end!: (reason: Error) => void;
  /** What the first packet, which alone has no header, goes to. */
  #greeted: ((packet: Buffer) => void) | null = null;

  private constructor(socket: ClientSocket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.#over(error));
    socket.on("close", () => {
      const words = "the connection has ended";
      this.#over(this.#greeted === null ? new Error(words) : new NoGreeting(words));
    });
  }

  /** @throws when there is no session within five seconds; the message has no secret in it. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
    const socket = socketOf(options);
    const session = new Session(socket);
    const abort = () =>
      session.#over(signal.aborted ? new Error("aborted") : new Error(`no answer within ${CONNECT_MS / 1000} s`));
    within.addEventListener("abort", abort, { once: true });
    try {
      await session.#greet();
      const { username, password } = options;
      if (username !== undefined && username !== "")
        await session.#send(
          XID.auth,
          OP.auth,
          new JuteWriter()
            .int(0)
            .text("digest")
            .text(`${username}:${password ?? ""}`),
        );
      session.#keepAlive();
      return session;
    } finally {
      within.removeEventListener("abort", abort);
    }
  }

  /** @throws ZooKeeperError when it is refused, another error when the session ends before the answer. */
  request(op: number, body: JuteWriter): Promise<JuteReader> {
    this.#xid = (this.#xid + 1) & 0x7fffffff;
    return this.#send(this.#xid, op, body);
  }

  close(): void {
    if (this.#isOver) return;
    const socket = this.#socket;
    socket.end(new JuteWriter().int(0).int(OP.close).packet(), () => socket.destroy());
    this.#over(new Error("closed"), false);
  }

  async #greet(): Promise<void> {
    const greeting = new JuteWriter().int(0).long(0n).int(SESSION_MS).long(0n).bytes(Buffer.alloc(PASSWORD_BYTES));
    const packet = await new Promise<Buffer>((resolve, reject) => {
      this.#greeted = resolve;
      void this.ended.then(reject);
      this.#socket.write(greeting.bool(false).packet());
    });
    const answer = new JuteReader(packet);
    answer.int();
    if (answer.int() <= 0) throw new Error("the server has refused the session");
  }

  #send(xid: number, op: number, body: JuteWriter): Promise<JuteReader> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) {
        void this.ended.then(reject);
        return;
      }
      this.#pending.set(xid, { resolve, reject });
      const packet = body.packet();
      // The body's own length is the first four bytes of what it made.
      this.#socket.write(new JuteWriter().int(xid).int(op).raw(packet.subarray(4)).packet());
    });
  }

  /** A server that says nothing any more is noticed before it ends the session. */
  #keepAlive(): void {
    this.#timer = setInterval(() => {
      const silent = performance.now() - this.#heardAt;
      if (silent > (SESSION_MS * 2) / 3) this.#over(new Error("the server has become silent"));
      else this.#socket.write(new JuteWriter().int(XID.ping).int(OP.ping).packet());
    }, SESSION_MS / 3);
  }

  /** Large answers come in many parts: they are joined when the last one is there. */
  #take(bytes: Buffer): void {
    this.#heardAt = performance.now();
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#wanted) return;
    let rest: Buffer = Buffer.concat(this.#parts);
    for (;;) {
      this.#wanted = LENGTH_BYTES;
      if (rest.length < LENGTH_BYTES) break;
      const length = rest.readInt32BE(0);
      if (length < 0 || length > MAX_PACKET)
        return this.#over(new Error("what answers is no ZooKeeper: is it the right port?"));
      this.#wanted += length;
      if (rest.length < this.#wanted) break;
      try {
        this.#packet(rest.subarray(LENGTH_BYTES, this.#wanted));
      } catch (error) {
        return this.#over(error as Error);
      }
      rest = rest.subarray(this.#wanted);
    }
    this.#parts = [rest];
    this.#size = rest.length;
  }

  #packet(packet: Buffer): void {
    if (this.#greeted !== null) {
      this.#greeted(packet);
      this.#greeted = null;
      return;
    }
    const reader = new JuteReader(packet);
    const xid = reader.int();
    // The number of the server's latest transaction.
    reader.long();
    const code = reader.int();
    if (xid === XID.ping) return;
    if (xid === XID.event) {
      reader.skip(8); // type, and state
      this.onEvent(reader.text());
      return;
    }
    const pending = this.#pending.get(xid);
    this.#pending.delete(xid);
    if (code === 0) pending?.resolve(reader);
    else pending?.reject(new ZooKeeperError(code));
  }

  #over(reason: Error, destroys = true): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    if (destroys) this.#socket.destroy();
    this.#end(reason);
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}

/** A session with the first of several servers that answers. @throws with what each of them says. */
export async function openAny(
  options: Omit<SessionOptions, "endpoint"> & { readonly endpoints: readonly string[] },
  signal: AbortSignal,
): Promise<Session> {
  const failures: string[] = [];
  for (const endpoint of options.endpoints) {
    try {
      return await Session.open({ ...options, endpoint }, signal);
    } catch (error) {
      failures.push(`${endpoint}: ${(error as Error).message}`);
    }
  }
  throw new Error(failures.join("; "));
}

function socketOf({ endpoint, tls }: SessionOptions): ClientSocket {
  const colon = endpoint.lastIndexOf(":");
  const host = endpoint.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(endpoint.slice(colon + 1));
  const secure = tls === undefined ? null : { ...readTls(tls), isChecked: tls.insecureSkipVerify !== true };
  return clientSocket(host, port, secure);
}
