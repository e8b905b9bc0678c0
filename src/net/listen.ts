// Listening: one entry point's port, shared with the other workers by SO_REUSEPORT.

import { prepareClientKeepAlive, setClientKeepAlive } from "./keep-alive.ts";
import { HANDLERS, type NativeSocket, NOBODY } from "./socket.ts";

export interface Listener {
  readonly port: number;
  /** Stops accepting; accepted connections go on. */
  stop(): void;
}

export interface ListenOptions {
  /** "" is every address. */
  readonly host: string;
  readonly port: number;
  /** How long a client may be unreachable before its connection is closed, in milliseconds; 0 is for ever. */
  readonly keepAliveMs: number;
}

interface NativeListener {
  readonly port: number;
  /** -1 where there is none. */
  readonly fd: number;
  stop(closeActive: boolean): void;
}

/** The published types lack what the handlers of an upgraded socket are given. */
type BunListen = (options: object) => NativeListener;

let everyAddress: "::" | "0.0.0.0" | null = null;

/**
 * What to listen on for every address: IPv6 with IPv4 mapped into it, or IPv4 alone where the system has no IPv6 or refuses it. Found out
 * once, by trying: there is no error that means only this.
 */
export function addressOf(host: string): string {
  if (host !== "") return host;
  if (everyAddress === null) {
    try {
      bind({ host: "::", port: 0, keepAliveMs: 0 }, false, (socket) => socket.terminate()).stop();
      everyAddress = "::";
    } catch {
      everyAddress = "0.0.0.0";
    }
  }
  return everyAddress;
}

/**
 * Listens with SO_REUSEPORT and hands every accepted socket to `accept`, which must set its owner.
 * @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL), or one without a code for a host that does not resolve.
 */
export function listen(options: ListenOptions, accept: (socket: NativeSocket) => void): Listener {
  return bind({ ...options, host: addressOf(options.host) }, true, accept);
}

/**
 * Proves a port free before the workers bind it: SO_REUSEPORT would let a second Sluice share it without any error.
 * @throws as `listen` does.
 */
export function proveFree(host: string, port: number): void {
  if (port !== 0) bind({ host: addressOf(host), port, keepAliveMs: 0 }, false, (socket) => socket.terminate()).stop();
}

function bind(
  { host, port, keepAliveMs }: ListenOptions,
  reusePort: boolean,
  accept: (socket: NativeSocket) => void,
): Listener {
  if (keepAliveMs > 0) prepareClientKeepAlive();
  let open = accept;
  const listener = (Bun.listen as unknown as BunListen)({
    hostname: host,
    port,
    reusePort,
    allowHalfOpen: true,
    data: NOBODY,
    socket: { ...HANDLERS, open: (socket: NativeSocket) => open(socket) },
  });
  if (keepAliveMs > 0) {
    const each = setClientKeepAlive(listener.fd, keepAliveMs);
    if (each !== null)
      open = (socket) => {
        each(socket);
        accept(socket);
      };
  }
  return { port: listener.port, stop: () => listener.stop(false) };
}
