// One client connection: dial, TLS, CONNECT, and from then on every received byte compared with what must come.
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Socket } from "bun";
import { CONNACK, connectPacket } from "../mqtt.ts";
import type { Target } from "./jobs.ts";

/** What Bun's TLS sockets have and its published types lack. */
interface TlsExtras {
  setSession(session: Buffer): void;
  isSessionReused(): boolean;
  getSession(): Buffer | undefined;
  getTLSVersion(): string;
  getCipher(): { name: string };
  getEphemeralKeyInfo(): { name?: string };
}

const contexts = new Map<string, unknown>();

/**
 * One context per trust and version: a client that builds one per connection would measure itself.
 * The groups are pinned to X25519 so that every peer does the same key exchange: a BoringSSL peer would otherwise be
 * given X25519MLKEM768, which the OpenSSL 3.0 ones do not have. P-256 is there for the certificate in TLS 1.2.
 */
function contextFor(tls: NonNullable<Target["tls"]>): unknown {
  const key = `${tls.ca} ${tls.version}`;
  let context = contexts.get(key);
  if (context === undefined) {
    const options = { minVersion: tls.version, maxVersion: tls.version, ecdhCurve: "X25519:P-256" };
    const made = createSecureContext({ ca: readFileSync(tls.ca), ...options }) as unknown as { context: unknown };
    context = made.context;
    contexts.set(key, context);
  }
  return context;
}

/** A connection of the generator. It is ready when the CONNACK has come; any surprise goes to `onFail` once. */
export class Conn {
  socket: Socket<Conn> | null = null;
  /** The bytes that must come next; anything while it is null is a surprise. */
  expect: Buffer | null = CONNACK;
  /** Called when `expect` has come whole; sets the next `expect`. */
  onPacket: (conn: Conn) => void = (conn) => conn.becomeReady();
  onFail: (reason: string) => void = () => {};
  onClose: () => void = () => {};
  onReady: (conn: Conn) => void = () => {};
  onDrain: (conn: Conn) => void = () => {};
  /** The ticket to offer, and afterwards the newest one the peer gave. */
  session: Buffer | null = null;
  /** True when we mean to lose the connection, so that its end is no failure. */
  leaving = false;
  /** Set by dial(), µs from dial to CONNACK by becomeReady(). */
  latency = 0;
  /** What the peer has not taken yet. */
  held: Buffer | null = null;
  readonly target: Target;
  private readonly clientId: string;
  private readonly from: string | null;
  private got = 0;
  private started = 0;

  /** `from` is the address it comes from; null: the system chooses. */
  constructor(target: Target, clientId: string, from: string | null = null) {
    this.target = target;
    this.clientId = clientId;
    this.from = from;
  }

  /** Starts connecting. The certificate and the name are verified as any client would. */
  dial(): void {
    const { tls, port } = this.target;
    this.started = performance.now();
    const secure = tls ? { secureContext: contextFor(tls), serverName: tls.serverName } : undefined;
    const to = { hostname: "127.0.0.1", port, ...(this.from !== null && { localAddress: this.from }) };
    const options = { ...to, data: this, socket: handlers, ...(secure && { tls: secure }) };
    Bun.connect<Conn>(options as unknown as Bun.TCPSocketConnectOptions<Conn>).catch(() => {});
  }

  /** Sends all of it, holding what the socket does not take; false when something is held. */
  send(bytes: Buffer): boolean {
    if (this.held) {
      this.held = Buffer.concat([this.held, bytes]);
      return false;
    }
    const taken = Math.max(0, this.socket!.write(bytes));
    if (taken === bytes.length) return true;
    this.held = Buffer.from(bytes.subarray(taken));
    return false;
  }

  /** Version, cipher and group of the connection. */
  negotiated(): string {
    if (!this.target.tls) return "plain";
    const tls = this.socket as unknown as TlsExtras;
    return [tls.getTLSVersion(), tls.getCipher().name, tls.getEphemeralKeyInfo()?.name].filter(Boolean).join(" ");
  }

  /** Whether the TLS session was resumed. */
  resumed(): boolean {
    return this.target.tls !== null && (this.socket as unknown as TlsExtras).isSessionReused();
  }

  /** Closes in good order: close_notify and FIN. */
  leave(): void {
    this.leaving = true;
    this.socket?.end();
  }

  greet(): void {
    this.send(connectPacket(this.clientId));
  }

  receive(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const expect = this.expect;
      if (expect === null) {
        this.fail(`${chunk.length - at} bytes that nobody asked for`);
        return;
      }
      const n = Math.min(expect.length - this.got, chunk.length - at);
      if (chunk.compare(expect, this.got, this.got + n, at, at + n) !== 0) {
        this.fail("a wrong byte came back");
        return;
      }
      at += n;
      this.got += n;
      if (this.got === expect.length) {
        this.got = 0;
        this.onPacket(this);
      }
    }
  }

  fail(reason: string): void {
    if (this.leaving) return;
    this.leaving = true;
    this.onFail(`${this.clientId}: ${reason}`);
    this.socket?.terminate();
  }

  private becomeReady(): void {
    this.latency = (performance.now() - this.started) * 1000;
    this.expect = null;
    if (this.target.tls?.version === "TLSv1.2") {
      this.session = (this.socket as unknown as TlsExtras).getSession() ?? this.session;
    }
    this.onReady(this);
  }
}

const handlers = {
  open(socket: Socket<Conn>): void {
    const conn = socket.data;
    conn.socket = socket;
    socket.setNoDelay(true);
    if (!conn.target.tls) conn.greet();
    else if (conn.session) (socket as unknown as TlsExtras).setSession(conn.session);
  },
  handshake(socket: Socket<Conn>, success: boolean, error: Error | null): void {
    if (!success || error) socket.data.fail(`handshake: ${error?.message ?? "refused"}`);
    else socket.data.greet();
  },
  session(socket: Socket<Conn>, session: Buffer): void {
    socket.data.session = session;
  },
  data(socket: Socket<Conn>, chunk: Buffer): void {
    socket.data.receive(chunk);
  },
  drain(socket: Socket<Conn>): void {
    const conn = socket.data;
    const rest = conn.held;
    if (rest) {
      conn.held = null;
      if (!conn.send(rest)) return;
    }
    conn.onDrain(conn);
  },
  end(socket: Socket<Conn>): void {
    socket.data.fail("closed by the peer");
  },
  close(socket: Socket<Conn>): void {
    socket.data.fail("closed");
    socket.data.onClose();
  },
  error(socket: Socket<Conn>, error: Error): void {
    socket.data.fail(error.message);
  },
  connectError(socket: Socket<Conn>, error: Error): void {
    socket.data.fail(`connect: ${error.message}`);
  },
};
