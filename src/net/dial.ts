// Dialling one address, in one of two ways.
//
// Bun.connect is the cheap one (measured: 15 µs of CPU less per connection), but it cannot be cancelled, and towards an address that
// swallows packets it keeps its descriptor for about two minutes. node:net's connect can be cancelled, and once it is open its native
// handle takes our handlers, so that nothing of node:net stays behind. So the cheap way is for addresses whose last dial was
// answered, and only a few such dials may be under way. Contract tests: "fact 13" in test/unit/net/bun-contract.test.ts.

import { connect, type Socket } from "node:net";
import type { Deadlines, Timed } from "./deadlines.ts";
import { isOutOfDescriptors } from "./descriptors.ts";
import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

/** Why a dial failed: also a metric label, so the set is fixed. */
export type DialError =
  | "refused"
  | "timeout"
  | "unreachable"
  | "reset"
  | "dns"
  | "tls"
  | "certificate"
  | "descriptors"
  | "local-ports"
  | "other";

export interface DialOwner {
  /** The socket is open and belongs to NOBODY until its owner is set, which must happen now. */
  onDialOpen(socket: NativeSocket): void;
  onDialFailed(reason: DialError): void;
}

const REASONS: Record<string, DialError> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "local-ports",
  EMFILE: "descriptors",
  ENFILE: "descriptors",
  ECONNRESET: "reset",
};

/** Dials that cannot be cancelled, at a time and worker: what an address that falls silent can keep in descriptors. */
export const MAX_QUICK = 64;
/** Addresses come from the configuration and from DNS; this bound only keeps former ones from gathering. */
const MAX_ANSWERING = 10_000;

/** The dials of a worker. */
export class Dialer {
  readonly deadlines: Deadlines;
  /** "address port" of those whose last dial was answered. */
  readonly #answering = new Set<string>();
  #quick = 0;

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines;
  }

  /**
   * Dials `address`, an IP address, at once. `timeoutMs` bounds the time until the connection is open; a negative `keepAliveMs`
   * is no TCP keep-alive. The owner hears of it later, never within this call.
   */
  dial(address: string, port: number, timeoutMs: number, keepAliveMs: number, owner: DialOwner): Dial {
    const key = `${address} ${port}`;
    const dial = new Dial(this, key, keepAliveMs, owner);
    this.deadlines.set(dial, timeoutMs);
    if (this.#quick < MAX_QUICK && this.#answering.has(key)) {
      this.#quick++;
      dial.quick(address, port);
    } else dial.cancellable(address, port);
    return dial;
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
  readonly #key: string;
  readonly #keepAliveMs: number;
  #owner: DialOwner | null;
  /** The one to destroy, while a cancellable dial is under way. */
  #socket: Socket | null = null;

  constructor(dialer: Dialer, key: string, keepAliveMs: number, owner: DialOwner) {
    this.#dialer = dialer;
    this.#key = key;
    this.#keepAliveMs = keepAliveMs;
    this.#owner = owner;
  }

  cancellable(host: string, port: number): void {
    const socket = connect({ host, port, allowHalfOpen: true });
    this.#socket = socket;
    socket.once("connect", () => this.#open(takeHandle(socket)));
    socket.on("error", (error) => this.#fail(dialErrorOf(error)));
  }

  quick(hostname: string, port: number): void {
    (Bun.connect as BunConnect)({ hostname, port, allowHalfOpen: true, data: this, socket: QUICK }).catch(() => {});
  }

  onQuickOpen(socket: NativeSocket): void {
    this.#dialer.quickEnded();
    this.#open(socket);
  }

  onQuickFailed(error: Error): void {
    this.#dialer.quickEnded();
    this.#fail(dialErrorOf(error));
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
    if (this.#keepAliveMs >= 0) socket.setKeepAlive(true, this.#keepAliveMs);
    owner.onDialOpen(socket);
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

function dialErrorOf(error: Error): DialError {
  const reason = REASONS[String((error as NodeJS.ErrnoException).code)] ?? "other";
  return (reason === "refused" || reason === "other") && isOutOfDescriptors() ? "descriptors" : reason;
}

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
