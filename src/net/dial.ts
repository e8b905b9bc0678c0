// Dialling one address, in one of two ways.
//
// Bun.connect is the cheap one (measured: 15 µs of CPU less per connection), but it cannot be cancelled, and towards an address that
// swallows packets it keeps its descriptor for about two minutes. node:net's connect can be cancelled, and once it is open its native
// handle takes our handlers, so that nothing of node:net stays behind. So the cheap way is for addresses whose last dial was
// answered, and only a few such dials may be under way. Contract tests: "fact 13" in test/unit/net/bun-contract.test.ts.
//
// A dial from a source address binds it without IP_BIND_ADDRESS_NO_PORT, which the runtime cannot set: its local ports are shared by all
// servers. Where they are used up, the system says EADDRINUSE, and EADDRNOTAVAIL where the machine has no such address.

import { connect, type NetConnectOpts, type Socket } from "node:net";
import type { Deadlines, Timed } from "./deadlines.ts";
import { type DialError, dialErrorOf, spentBy } from "./dial-error.ts";
import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";
import { NO_SOURCES, SourceTurns } from "./source-turns.ts";

export type { DialError };

export interface DialOwner {
  /** The socket is open and belongs to NOBODY until its owner is set, which must happen now. */
  onDialOpen(socket: NativeSocket): void;
  onDialFailed(reason: DialError): void;
}

/**
 * A Unix socket refuses at once when its queue is full, where TCP would wait; the runtime gives the same error as for one on which
 * nobody listens. So a refused dial is tried again after these times, in milliseconds.
 */
const UNIX_RETRIES_MS = [25, 50, 100, 200] as const;

/** What is dialled is either an IP address with a port, or the absolute path of a Unix socket. */
export const isUnixPath = (address: string): boolean => address.startsWith("/");

/** Dials that cannot be cancelled, at a time and worker: what an address that falls silent can keep in descriptors. */
export const MAX_QUICK = 64;
/** Addresses come from the configuration and from DNS; this bound only keeps former ones from gathering. */
const MAX_ANSWERING = 10_000;

/** The dials of a worker. */
export class Dialer {
  readonly deadlines: Deadlines;
  /** "address port" of those whose last dial was answered. */
  readonly #answering = new Set<string>();
  readonly sources = new SourceTurns();
  #quick = 0;

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines;
  }

  /**
   * Dials `address`, an IP address or the path of a Unix socket, at once. `timeoutMs` bounds the time until the connection is open; a
   * negative `keepAliveMs` is no TCP keep-alive. `sources` are this machine's addresses to dial from, in turn; those of the other family
   * are left out, and with none the system chooses. The owner hears of it later, never within this call.
   */
  dial(
    address: string,
    port: number,
    timeoutMs: number,
    keepAliveMs: number,
    owner: DialOwner,
    sources: readonly string[] = NO_SOURCES,
  ): Dial {
    const dial = new Dial(this, address, port, keepAliveMs, owner, isUnixPath(address) ? NO_SOURCES : sources);
    this.deadlines.set(dial, timeoutMs);
    dial.attempt();
    return dial;
  }

  /** Whether a dial may be one that cannot be cancelled, which it then is. */
  takeQuick(key: string): boolean {
    if (this.#quick >= MAX_QUICK || !this.#answering.has(key)) return false;
    this.#quick++;
    return true;
  }

  answered(key: string): void {
    if (this.#answering.size >= MAX_ANSWERING) this.#answering.clear();
    this.#answering.add(key);
  }

  failed(key: string): void {
    this.#answering.delete(key);
  }

  quickEnded(): void {
    this.#quick--;
  }
}

export class Dial implements Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #dialer: Dialer;
  readonly #address: string;
  readonly #port: number;
  readonly #key: string;
  readonly #keepAliveMs: number;
  readonly #sources: readonly string[];
  #owner: DialOwner | null;
  /** The one to destroy, while a cancellable dial is under way. */
  #socket: Socket | null = null;
  /** What it is dialled from; null: the system chooses. */
  #source: string | null = null;
  #retries = 0;

  constructor(
    dialer: Dialer,
    address: string,
    port: number,
    keepAliveMs: number,
    owner: DialOwner,
    sources: readonly string[],
  ) {
    this.#dialer = dialer;
    this.#address = address;
    this.#port = port;
    this.#key = `${address} ${port}`;
    this.#keepAliveMs = keepAliveMs;
    this.#owner = owner;
    this.#sources = sources;
  }

  attempt(): void {
    if (this.#owner === null) return;
    if (this.#sources.length > 0) {
      this.#source = this.#dialer.sources.take(this.#sources, this.#address);
      const why = this.#source === null ? this.#dialer.sources.whyNone(this.#sources, this.#address) : null;
      if (why !== null) return void setImmediate(() => this.#fail(why));
    }
    const isUnix = isUnixPath(this.#address);
    if (this.#dialer.takeQuick(this.#key)) {
      const to = isUnix ? { unix: this.#address } : { hostname: this.#address, port: this.#port };
      const from = this.#source === null ? to : { ...to, localAddress: this.#source };
      (Bun.connect as BunConnect)({ ...from, allowHalfOpen: true, data: this, socket: QUICK }).catch(() => {});
    } else
      this.#cancellable(
        isUnix
          ? { path: this.#address, allowHalfOpen: true }
          : {
              ...{ host: this.#address, port: this.#port, allowHalfOpen: true },
              ...(this.#source === null ? {} : { localAddress: this.#source }),
            },
      );
  }

  #cancellable(options: NetConnectOpts): void {
    const socket = connect(options);
    this.#socket = socket;
    socket.once("connect", () => this.#open(takeHandle(socket)));
    socket.on("error", (error) => this.#failed(error));
  }

  onQuickOpen(socket: NativeSocket): void {
    this.#dialer.quickEnded();
    this.#open(socket);
  }

  onQuickFailed(error: Error): void {
    this.#dialer.quickEnded();
    this.#failed(error);
  }

  onDeadline(): void {
    this.#fail("timeout");
  }

  /** Gives up; the owner hears nothing more, and the descriptor is free at once, or when a quick dial has its answer. */
  cancel(): void {
    this.#owner = null;
    this.#dialer.deadlines.clear(this);
    this.#socket?.destroy();
    this.#socket = null;
  }

  /** Gives up like `cancel`, for the address has had its time: the next dial to it is one that can be cancelled. */
  giveUp(): void {
    this.cancel();
    this.#dialer.failed(this.#key);
  }

  #open(socket: NativeSocket): void {
    const owner = this.#owner;
    this.#owner = null;
    this.#socket = null;
    this.#dialer.deadlines.clear(this);
    socket.data = NOBODY;
    this.#dialer.answered(this.#key);
    if (owner === null) {
      socket.terminate();
      return;
    }
    if (this.#keepAliveMs >= 0 && !isUnixPath(this.#address)) socket.setKeepAlive(true, this.#keepAliveMs);
    owner.onDialOpen(socket);
  }

  /** Of what can be mended by another try, the owner hears only when there is none. */
  #failed(error: Error): void {
    if (this.#owner === null) return;
    this.#socket?.destroy();
    this.#socket = null;
    const code = String((error as NodeJS.ErrnoException).code);
    const spent = this.#source === null ? null : spentBy(code);
    if (spent !== null) {
      this.#dialer.sources.failed(this.#source!, spent);
      // Another one, if there is one that is not left out.
      return this.attempt();
    }
    const reason = dialErrorOf(code);
    const retryMs = reason === "refused" && isUnixPath(this.#address) ? UNIX_RETRIES_MS[this.#retries++] : undefined;
    if (retryMs === undefined) this.#fail(reason);
    else setTimeout(() => this.attempt(), retryMs);
  }

  #fail(reason: DialError): void {
    const owner = this.#owner;
    if (owner === null) return;
    this.cancel();
    this.#dialer.failed(this.#key);
    owner.onDialFailed(reason);
  }
}

/** The published types do not know that a socket's `data` may change its type. */
type BunConnect = (options: object) => Promise<unknown>;

const QUICK = {
  ...HANDLERS,
  open: (socket: NativeSocket) => (socket.data as unknown as Dial).onQuickOpen(socket),
  connectError: (socket: NativeSocket, error: Error) => {
    const dial = socket.data as unknown as Dial;
    socket.data = NOBODY;
    // It may come within the call, when the system refuses at once, and the owner does not know its dial yet.
    setImmediate(() => dial.onQuickFailed(error));
  },
};

/** The native socket behind a node:net one, with our handlers, and cut loose from it so that the stream objects can be collected. */
function takeHandle(socket: Socket): NativeSocket {
  const wrapper = socket as unknown as { _handle: NativeSocket | null };
  const native = wrapper._handle!;
  native.reload({ socket: HANDLERS });
  for (const key of Object.getOwnPropertySymbols(native)) {
    if (key.description === "owner_symbol") (native as unknown as Record<symbol, unknown>)[key] = null;
  }
  wrapper._handle = null;
  return native;
}
