// Dialling one address. Bun.connect cannot be cancelled and keeps a black-holed descriptor for minutes; node:net's connect can, and
// once it is open its native handle takes our handlers, so that nothing of node:net stays behind (contract test "a dial").

import { connect, type Socket } from "node:net";
import type { Deadlines, Timed } from "./deadlines.ts";
import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

/** Why a dial failed: also a metric label, so the set is fixed. */
export type DialError = "refused" | "timeout" | "unreachable" | "reset" | "dns" | "tls" | "certificate" | "other";

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
  EADDRNOTAVAIL: "unreachable",
  ECONNRESET: "reset",
};

export class Dial implements Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #deadlines: Deadlines;
  #socket: Socket | null;
  #owner: DialOwner | null;

  /** Dials `address`, an IP address, at once. `timeoutMs` bounds the time until the connection is open. */
  constructor(
    deadlines: Deadlines,
    address: string,
    port: number,
    timeoutMs: number,
    keepAliveMs: number,
    owner: DialOwner,
  ) {
    this.#deadlines = deadlines;
    this.#owner = owner;
    const socket = connect({ host: address, port, allowHalfOpen: true });
    this.#socket = socket;
    deadlines.set(this, timeoutMs);
    socket.once("connect", () => this.#open(socket, keepAliveMs));
    socket.on("error", (error) => this.#fail(REASONS[String((error as NodeJS.ErrnoException).code)] ?? "other"));
  }

  onDeadline(): void {
    this.#fail("timeout");
  }

  /** Gives up; the owner hears nothing more, and the descriptor is free at once. */
  cancel(): void {
    this.#owner = null;
    this.#fail("other");
  }

  #open(socket: Socket, keepAliveMs: number): void {
    this.#deadlines.clear(this);
    const owner = this.#owner;
    this.#owner = null;
    this.#socket = null;
    if (owner === null) return;
    const native = takeHandle(socket);
    if (keepAliveMs >= 0) native.setKeepAlive(true, keepAliveMs);
    owner.onDialOpen(native);
  }

  #fail(reason: DialError): void {
    this.#deadlines.clear(this);
    this.#socket?.destroy();
    this.#socket = null;
    const owner = this.#owner;
    this.#owner = null;
    owner?.onDialFailed(reason);
  }
}

/** The native socket behind a node:net one, with our handlers, and cut loose from it so that the stream objects can be collected. */
function takeHandle(socket: Socket): NativeSocket {
  const wrapper = socket as unknown as { _handle: NativeSocket | null };
  const native = wrapper._handle!;
  native.reload({ socket: HANDLERS });
  native.data = NOBODY;
  for (const key of Object.getOwnPropertySymbols(native)) {
    if (key.description === "owner_symbol") (native as unknown as Record<symbol, unknown>)[key] = null;
  }
  wrapper._handle = null;
  return native;
}
