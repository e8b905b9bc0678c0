// Where the admin side listens: beside a Sluice that is to be followed, which listens there too until this one has taken over.

import { createServer, type Server, type Socket } from "node:net";

type Where = { readonly host: string; readonly port: number; readonly reusePort: boolean } | { readonly path: string };

/**
 * Listens, and hands every connection on. `isShared`: another process of this user listens there as well, with the same option; otherwise
 * nobody may.
 * @throws the system's error when it cannot listen.
 */
export async function listenShared(
  host: string,
  port: number,
  isShared: boolean,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  // The option lets a second, unrelated start listen there without any error: so it is tried without, first.
  if (!isShared && port !== 0) await close(await listenOn({ host, port, reusePort: false }, () => {}));
  return listenOn({ host, port, reusePort: true }, onConnection);
}

/** A Unix socket is made with mode 0600. @throws the system's error when it cannot listen. */
export function listenOn(where: Where, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const listening = () => {
      server.off("error", reject);
      resolve(server);
    };
    if (!("path" in where)) return void server.listen(where, listening);
    // Nobody may come in between the making of the socket and the change of its mode.
    const before = process.umask(0o177);
    try {
      server.listen(where.path, listening);
    } finally {
      process.umask(before);
    }
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}
