// Reads the server's answer to CONNECT while it goes by. Nothing is held back for it.

import { type ConnackRead, ConnackReader } from "../mqtt/connack-reader.ts";
import type { MqttVersion } from "../mqtt/version.ts";
import type { Side } from "../net/relay.ts";
import type { HandshakeError, SocketOwner } from "../net/socket.ts";

export type Connack = Extract<ConnackRead, { kind: "connack" }>;

/** Stands before the owner of a socket until that one packet has come, or it is clear that it is none. */
class ConnackTap implements SocketOwner {
  readonly #side: Side;
  readonly #behind: SocketOwner;
  readonly #reader: ConnackReader;
  readonly #onConnack: (connack: Connack) => void;

  constructor(side: Side, version: MqttVersion, onConnack: (connack: Connack) => void) {
    this.#side = side;
    this.#behind = side.socket.data;
    this.#reader = new ConnackReader(version);
    this.#onConnack = onConnack;
  }

  onData(chunk: Buffer): void {
    const read = this.#reader.push(chunk);
    if (read.kind !== "more") this.#side.socket.data = this.#behind;
    if (read.kind === "connack") this.#onConnack(read);
    this.#behind.onData(chunk);
  }

  onDrain(): void {
    this.#behind.onDrain();
  }

  onEnd(): void {
    this.#behind.onEnd();
  }

  onClose(error: Error | undefined): void {
    this.#behind.onClose(error);
  }

  onHandshake(_success: boolean, _error: HandshakeError | null): void {}
}

/** `side` is the server's, of a relay that begins. The last one that is put up is the first to read, and steps aside first. */
export function tapConnack(side: Side, version: MqttVersion, onConnack: (connack: Connack) => void): void {
  side.socket.data = new ConnackTap(side, version, onConnack);
}
