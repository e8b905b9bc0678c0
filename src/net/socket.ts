// Bun's native socket as Sluice uses it, and the one set of handlers that every socket shares.
//
// A socket's `data` is its owner; handing a connection to the next step is one assignment. Contract tests for what is relied on
// here: test/unit/net/bun-contract.test.ts.

import type { X509Certificate } from "node:crypto";

/** Whoever is in charge of a socket at the moment. None of these may throw: Bun would swallow it into `error`. */
export interface SocketOwner {
  /** `chunk` belongs to the receiver: Bun does not reuse it. */
  onData(chunk: Buffer): void;
  /** The socket takes bytes again after `write()` took fewer than it was given. */
  onDrain(): void;
  /** The other side has finished sending: FIN, or close_notify under TLS. */
  onEnd(): void;
  /** The socket is gone; `error` is set when it was reset. Called once, and last. */
  onClose(error: Error | undefined): void;
  /** The TLS handshake is over; see bun-sockets fact: `error` may be set although all is well. */
  onHandshake(success: boolean, error: HandshakeError | null): void;
}

export interface HandshakeError {
  readonly code?: string;
  readonly message: string;
}

export interface NativeSocket {
  data: SocketOwner;
  readonly fd: number;
  /** undefined once the peer has reset the connection. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Bytes taken: fewer than given, 0 or -1 when the socket's buffer is full; the rest stays with the caller. */
  write(bytes: Uint8Array): number;
  /** Sends FIN (and close_notify), and closes. */
  end(): void;
  /** Sends FIN (or close_notify) behind what was taken, and goes on reading. */
  shutdown(): void;
  /** Closes with a RST. */
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, initialDelayMs: number): void;
  reload(options: { socket: object }): void;
  upgradeTLS(options: object): [NativeSocket, NativeSocket];
}

/** What a socket also has once it speaks TLS. */
export interface NativeTlsSocket extends NativeSocket {
  readonly alpnProtocol: string | false | null;
  getTLSVersion(): string;
  getCipher(): { name: string; standardName: string };
  isSessionReused(): boolean;
  /** The most bytes of content in a record that is sent, 512 to 16384; BoringSSL takes less as 512. */
  setMaxSendFragment(bytes: number): boolean;
  getPeerX509Certificate(): X509Certificate | undefined;
  getPeerCertificate(): object | undefined;
}

type Fault = (error: Error) => void;
let reportFault: Fault = () => {};

/** Where exceptions of our own handlers go, which are always a defect of Sluice. */
export function onFault(report: Fault): void {
  reportFault = report;
}

/** Reports an exception of our own code that nobody else catches. */
export function fault(error: unknown): void {
  reportFault(error as Error);
}

/** The handlers of every socket: each only passes the event to the socket's owner. */
export const HANDLERS = {
  data: (socket: NativeSocket, chunk: Buffer) => socket.data.onData(chunk),
  drain: (socket: NativeSocket) => socket.data.onDrain(),
  end: (socket: NativeSocket) => socket.data.onEnd(),
  close: (socket: NativeSocket, error?: Error) => socket.data.onClose(error),
  handshake: (socket: NativeSocket, success: boolean, error: HandshakeError | null) =>
    socket.data.onHandshake(success, error),
  error: (socket: NativeSocket, error: Error) => {
    // A peer's fault comes as an error of the system and is followed by `close`; anything else was thrown by a handler.
    if ((error as NodeJS.ErrnoException).syscall !== undefined || (error as NodeJS.ErrnoException).code !== undefined)
      return;
    reportFault(error);
    socket.terminate();
  },
} as const;

/** Owns sockets that nobody needs to hear of: the raw twin of an upgraded one, and one that is being closed. */
export const NOBODY: SocketOwner = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
  onHandshake() {},
};

/**
 * Sends what was taken, then close_notify (TLS) and FIN, and frees the descriptor without waiting for the peer: `end()` alone
 * keeps a TLS socket until the peer has closed too.
 */
export function closeGracefully(socket: NativeSocket): void {
  socket.shutdown();
  socket.end();
}

/** IPv4 as IPv4, also where the listener takes both families and sees it as ::ffff:a.b.c.d. */
export function unmap(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
