// A server that speaks first, says its name and counts who dials it: tells which server was reached, and that none was.

import { createServer, type Socket } from "node:net";
import { cleanup } from "./tools.ts";

/** What a backend called `name` says to everyone who connects; everything it then receives comes back. */
export const greeting = (name: string) => `hello from ${name}\n`;

export class Backend {
  readonly name: string;
  readonly port: number;
  /** Connections accepted so far. */
  connections = 0;
  readonly #server: ReturnType<typeof createServer>;
  readonly #open = new Set<Socket>();

  private constructor(name: string, port: number, server: ReturnType<typeof createServer>) {
    this.name = name;
    this.port = port;
    this.#server = server;
  }

  static start(name: string): Promise<Backend> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.on("error", reject);
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        const backend = new Backend(name, typeof address === "object" ? address!.port : 0, server);
        server.on("connection", (socket) => backend.#accept(socket));
        cleanup(() => backend.stop());
        resolve(backend);
      });
    });
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
    socket.on("error", () => {});
    socket.write(greeting(this.name));
    socket.pipe(socket);
  }

  /** From here on its port refuses. */
  stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
