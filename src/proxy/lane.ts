// One address of a server: the dial, what is told first, and the server's TLS. Nothing but a PROXY header, which must come before TLS, is
// sent to a server that is not who it should be.

import { isIP } from "node:net";
import type { Timed } from "../net/deadlines.ts";
import type { Dial, DialError, DialOwner } from "../net/dial.ts";
import { judgeServer } from "../net/server-verdict.ts";
import {
  closeGracefully,
  type HandshakeError,
  type NativeSocket,
  type NativeTlsSocket,
  NOBODY,
  type SocketOwner,
} from "../net/socket.ts";
import { upgradeClient } from "../net/tls.ts";
import { type Target, verifiedName } from "../upstream/service.ts";
import type { Edge } from "./edge.ts";

/** Hears of a lane once, unless it has cancelled it. */
export interface LaneOwner {
  /**
   * The socket belongs to NOBODY until its owner is set, which must happen now. `header` is still to be sent; null: there is none, or the
   * server has had it before its TLS.
   */
  onLaneOpen(lane: Lane, socket: NativeSocket, header: Buffer | null): void;
  onLaneFailed(lane: Lane, reason: DialError): void;
}

export class Lane implements DialOwner, SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly startedAt = performance.now();
  readonly #edge: Edge;
  readonly #target: Target;
  /** What the server is told first. */
  readonly #header: Buffer | null;
  readonly #owner: LaneOwner;
  #dial: Dial | null;
  /** While a TLS handshake with the server is under way. */
  #socket: NativeTlsSocket | null = null;
  #isOver = false;

  /** Begins at once; the owner hears of it later, never within this call. */
  constructor(edge: Edge, target: Target, address: string, header: Buffer | null, owner: LaneOwner) {
    this.#edge = edge;
    this.#target = target;
    this.#header = header;
    this.#owner = owner;
    const { server, transport } = target;
    const { dialTimeoutMs, keepAliveMs, sourceAddresses } = transport;
    this.#dial = edge.dialer.dial(address, server.port, dialTimeoutMs, keepAliveMs, this, sourceAddresses);
  }

  /** Gives up; the owner hears nothing more. `isSlow`: the address has had its time. */
  cancel(isSlow: boolean): void {
    this.#isOver = true;
    if (isSlow) this.#dial?.giveUp();
    else this.#dial?.cancel();
    this.#dial = null;
    this.#dropSocket();
  }

  onDialOpen(socket: NativeSocket): void {
    if (this.#isOver) return socket.terminate();
    this.#dial = null;
    const { server, transport } = this.#target;
    const header = this.#header;
    if (!server.tls) return this.#open(socket, header);
    const edge = this.#edge;
    // A header fits any empty send buffer: where it does not, the server is gone already.
    if (header !== null && socket.write(header) !== header.length) {
      socket.terminate();
      return this.#fail("reset");
    }
    try {
      const name = verifiedName(server, transport);
      const context = edge.clientContexts.get(transport.tls);
      this.#socket = upgradeClient(socket, { context, serverName: isIP(name) === 0 ? name : "" }, this);
      edge.deadlines.set(this, transport.dialTimeoutMs);
    } catch (error) {
      edge.observer.onFault(error);
      socket.terminate();
      this.#fail("tls");
    }
  }

  onDialFailed(reason: DialError): void {
    this.#dial = null;
    this.#fail(reason);
  }

  /** The handshake with the server is over: nothing is sent to one that is not who it should be. */
  onHandshake(success: boolean, error: HandshakeError | null): void {
    const socket = this.#socket;
    if (socket === null) return;
    const { server, transport } = this.#target;
    const name = verifiedName(server, transport);
    const verdict = judgeServer(socket, success, error, name, transport.tls.insecureSkipVerify);
    if (verdict !== null) {
      this.#dropSocket();
      return this.#fail(verdict);
    }
    this.#edge.deadlines.clear(this);
    this.#socket = null;
    this.#open(socket, null);
  }

  onDeadline(): void {
    this.#dropSocket();
    this.#fail("timeout");
  }

  onClose(): void {
    if (this.#socket === null) return;
    this.#dropSocket();
    this.#fail("tls");
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}

  #open(socket: NativeSocket, header: Buffer | null): void {
    this.#isOver = true;
    this.#owner.onLaneOpen(this, socket, header);
  }

  #fail(reason: DialError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.onLaneFailed(this, reason);
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#edge.deadlines.clear(this);
    if (socket === null) return;
    socket.data = NOBODY;
    closeGracefully(socket);
  }
}
