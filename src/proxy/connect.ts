// Connect: dials the route's servers in the balancer's order, every address of each, until one answers.

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
import type { Target } from "../upstream/service.ts";
import type { Connection } from "./connection.ts";
import type { Route } from "./snapshot.ts";

export function connect(connection: Connection, route: Route): void {
  // What the client has sent may just have gone over a limit on held bytes.
  if (connection.phase === "closed") return;
  connection.phase = "dial";
  const targets = route.balancer.order();
  if (targets.length === 0) return connection.finish("no-server");
  const dial = new ServerDial(connection, targets);
  connection.dial = dial;
  dial.start();
}

/** One connection's search for a server. It is dropped as soon as the relay begins. */
export class ServerDial implements DialOwner, SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #connection: Connection;
  readonly #targets: readonly Target[];
  #target = 0;
  #addresses: readonly string[] = [];
  #address = 0;
  #startedAt = 0;
  #dial: Dial | null = null;
  /** While a TLS handshake with the server is under way. */
  #socket: NativeTlsSocket | null = null;
  #cancelled = false;

  constructor(connection: Connection, targets: readonly Target[]) {
    this.#connection = connection;
    this.#targets = targets;
  }

  start(): void {
    const { host } = this.#targets[this.#target]!.server;
    this.#connection.edge.resolver.resolve(host, (addresses) => {
      if (this.#cancelled) return;
      this.#addresses = addresses;
      this.#address = 0;
      if (addresses.length === 0) this.#next("dns");
      else this.#dialAddress();
    });
  }

  cancel(): void {
    this.#cancelled = true;
    this.#dial?.cancel();
    this.#dropSocket();
  }

  #dialAddress(): void {
    const { server, transport } = this.#targets[this.#target]!;
    this.#startedAt = performance.now();
    const address = this.#addresses[this.#address]!;
    const { dialer } = this.#connection.edge;
    this.#dial = dialer.dial(address, server.port, transport.dialTimeoutMs, transport.keepAliveMs, this);
  }

  onDialOpen(socket: NativeSocket): void {
    if (this.#cancelled) return socket.terminate();
    this.#dial = null;
    const { server, transport } = this.#targets[this.#target]!;
    if (!server.tls) return this.#open(socket);
    const { edge } = this.#connection;
    try {
      const name = transport.tls.serverName ?? server.host;
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
    const { server, transport } = this.#targets[this.#target]!;
    // Under a wrong name Bun calls a sound handshake failed, whatever rejectUnauthorized is; a truly failed one says EPROTO.
    const done = success || (error !== null && error.code !== "EPROTO");
    const verdict = done
      ? this.#judge(socket, transport.tls.serverName ?? server.host, transport.tls.insecureSkipVerify, error)
      : "tls";
    if (verdict !== null) {
      this.#dropSocket();
      return this.#failedAddress(verdict);
    }
    this.#connection.edge.deadlines.clear(this);
    this.#socket = null;
    this.#open(socket);
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

  #open(socket: NativeSocket): void {
    const connection = this.#connection;
    const target = this.#targets[this.#target]!;
    connection.edge.observer.onDial(target, performance.now() - this.#startedAt);
    connection.server = target.server.address;
    connection.startRelay(socket, target.transport.terminationDelayMs);
  }

  #failedAddress(reason: DialError): void {
    if (this.#cancelled) return;
    this.#address++;
    if (this.#address < this.#addresses.length) this.#dialAddress();
    else this.#next(reason);
  }

  #next(reason: DialError): void {
    const connection = this.#connection;
    connection.edge.observer.onDialFailed(this.#targets[this.#target]!, reason);
    this.#target++;
    if (this.#target < this.#targets.length) this.start();
    else connection.finish("dial-failed");
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#connection.edge.deadlines.clear(this);
    if (socket === null) return;
    socket.data = NOBODY;
    closeGracefully(socket);
  }
}
