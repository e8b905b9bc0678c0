// The search for a server: dials the servers in the order of the choice, every address of each, until one answers. With TLS, nothing
// but a PROXY header, which must come before it, is sent to a server that is not who it should be.

import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Timed } from "../net/deadlines.ts";
import type { Dial, DialError, DialOwner } from "../net/dial.ts";
import {
  closeGracefully,
  type HandshakeError,
  type NativeSocket,
  type NativeTlsSocket,
  NOBODY,
  type SocketOwner,
} from "../net/socket.ts";
import { upgradeClient } from "../net/tls.ts";
import { type Choice, type Target, verifiedName } from "../upstream/service.ts";
import type { Edge } from "./edge.ts";

export interface SearchOwner {
  /** The PROXY header for a server, asked for before it is dialled; null: none. It may give the search up. */
  headerFor(target: Target): Buffer | null;
  /**
   * The target counts the connection as open: who gets it takes it off when it ends. The socket belongs to NOBODY until its owner is set, which must happen now. `header` is still to be sent; null: there is none, or the
   * server has had it before its TLS.
   */
  onServerOpen(target: Target, socket: NativeSocket, header: Buffer | null): void;
  /** No server could be reached, or no further one may be tried. */
  onNoServer(): void;
}

export class ServerSearch implements DialOwner, SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #edge: Edge;
  readonly #choice: Choice;
  readonly #owner: SearchOwner;
  #target: Target;
  /** What the target is told first. */
  #header: Buffer | null = null;
  #addresses: readonly string[] = [];
  #address = 0;
  #startedAt = 0;
  #dial: Dial | null = null;
  /** While a TLS handshake with the server is under way. */
  #socket: NativeTlsSocket | null = null;
  #cancelled = false;
  #isLast = false;
  /** Whether the target counts the connection as one of its own. */
  #isSeated = false;

  /** `first` is what `choice` has given first. */
  constructor(edge: Edge, choice: Choice, first: Target, owner: SearchOwner) {
    this.#edge = edge;
    this.#choice = choice;
    this.#target = first;
    this.#owner = owner;
  }

  start(): void {
    this.#isSeated = true;
    this.#target.state.open++;
    this.#begin(this.#target);
  }

  #begin(target: Target): void {
    this.#header = this.#owner.headerFor(target);
    if (this.#cancelled) return;
    this.#edge.lookup.resolve(target.server.host, (addresses) => {
      if (this.#cancelled) return;
      this.#addresses = addresses;
      this.#address = 0;
      if (addresses.length === 0) this.#next("dns");
      else this.#dialAddress();
    });
  }

  /** What is under way is the last try: after it no further address and no further server is dialled. */
  last(): void {
    this.#isLast = true;
  }

  /** Gives up; the owner hears nothing more. */
  cancel(): void {
    this.#cancelled = true;
    this.#unseat();
    this.#dial?.cancel();
    this.#dropSocket();
  }

  #dialAddress(): void {
    const { server, transport } = this.#target;
    this.#startedAt = performance.now();
    const address = this.#addresses[this.#address]!;
    const { dialer } = this.#edge;
    this.#dial = dialer.dial(
      address,
      server.port,
      transport.dialTimeoutMs,
      transport.keepAliveMs,
      this,
      transport.sourceAddresses,
    );
  }

  onDialOpen(socket: NativeSocket): void {
    if (this.#cancelled) return socket.terminate();
    this.#dial = null;
    const { server, transport } = this.#target;
    const header = this.#header;
    if (!server.tls) return this.#open(socket, header);
    const edge = this.#edge;
    // A header fits any empty send buffer: where it does not, the server is gone already.
    if (header !== null && socket.write(header) !== header.length) {
      socket.terminate();
      return this.#failedAddress("reset");
    }
    try {
      const name = verifiedName(server, transport);
      const context = edge.clientContexts.get(transport.tls);
      this.#socket = upgradeClient(socket, { context, serverName: isIP(name) === 0 ? name : "" }, this);
      edge.deadlines.set(this, transport.dialTimeoutMs);
    } catch (error) {
      edge.observer.onFault(error);
      socket.terminate();
      this.#next("tls");
    }
  }

  onDialFailed(reason: DialError): void {
    this.#dial = null;
    this.#failedAddress(reason);
  }

  /** The handshake with the server is over: nothing is sent to one that is not who it should be. */
  onHandshake(success: boolean, error: HandshakeError | null): void {
    const socket = this.#socket;
    if (socket === null) return;
    const { server, transport } = this.#target;
    // Under a wrong name Bun calls a sound handshake failed, whatever rejectUnauthorized is; a truly failed one says EPROTO.
    const done = success || (error !== null && error.code !== "EPROTO");
    const verdict = done
      ? this.#judge(socket, verifiedName(server, transport), transport.tls.insecureSkipVerify, error)
      : "tls";
    if (verdict !== null) {
      this.#dropSocket();
      return this.#failedAddress(verdict);
    }
    this.#edge.deadlines.clear(this);
    this.#socket = null;
    this.#open(socket, null);
  }

  #judge(socket: NativeTlsSocket, name: string, insecure: boolean, error: HandshakeError | null): DialError | null {
    if (insecure) return null;
    if (error !== null) return "certificate";
    const certificate = socket.getPeerCertificate() as PeerCertificate | undefined;
    if (certificate === undefined || checkServerIdentity(name, certificate) !== undefined) return "certificate";
    return null;
  }

  onDeadline(): void {
    this.#dropSocket();
    this.#failedAddress("timeout");
  }

  onClose(): void {
    if (this.#socket === null) return;
    this.#dropSocket();
    this.#failedAddress("tls");
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}

  #open(socket: NativeSocket, header: Buffer | null): void {
    const target = this.#target;
    this.#isSeated = false; // from here on it is the owner who counts
    this.#edge.observer.onDial(target, performance.now() - this.#startedAt);
    this.#owner.onServerOpen(target, socket, header);
  }

  #failedAddress(reason: DialError): void {
    if (this.#cancelled) return;
    this.#address++;
    if (this.#address < this.#addresses.length && !this.#isLast) this.#dialAddress();
    else this.#next(reason);
  }

  #next(reason: DialError): void {
    this.#unseat();
    this.#edge.observer.onDialFailed(this.#target, reason);
    const next = this.#isLast ? null : (this.#choice.next() ?? this.#choice.lastResort());
    if (next === null) return this.#owner.onNoServer();
    this.#target = next;
    this.start();
  }

  #unseat(): void {
    if (!this.#isSeated) return;
    this.#isSeated = false;
    this.#target.state.open--;
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
