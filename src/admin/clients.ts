// The connections of the admin side: how many there may be, how long they may bring nothing, and their end. The runtime's own timeouts do not
// count for connections that are handed to it.

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Who takes longer for the first request, or between an answer and the next request, is closed. Milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
/** Connections at a time. */
const MAX_CONNECTIONS = 512;

interface Client {
  /** Answers under way. */
  answers: number;
  /** An answer has no end. */
  isStream: boolean;
  timer: ReturnType<typeof setTimeout> | null;
}

export class Clients {
  readonly #all = new Map<Socket, Client>();
  #isClosed = false;

  /** False: there is no room for it, and it is closed. */
  add(socket: Socket): boolean {
    socket.on("error", () => {}); // `close` follows
    if (this.#all.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return false;
    }
    const client: Client = { answers: 0, isStream: false, timer: null };
    this.#all.set(socket, client);
    this.#await(socket, client, REQUEST_TIMEOUT_MS);
    socket.once("close", () => {
      this.#stopWaiting(client);
      this.#all.delete(socket);
    });
    return true;
  }

  /** A request has come. */
  asks(socket: Socket, response: ServerResponse): void {
    const client = this.#all.get(socket);
    if (client === undefined) return;
    client.answers++;
    this.#stopWaiting(client);
    response.once("close", () => {
      if (--client.answers > 0 || !this.#all.has(socket)) return;
      if (this.#isClosed) socket.end();
      else this.#await(socket, client, IDLE_TIMEOUT_MS);
    });
  }

  isStream(socket: Socket): void {
    const client = this.#all.get(socket);
    if (client !== undefined) client.isStream = true;
  }

  /** Ends them when their answers are out. */
  close(): void {
    this.#isClosed = true;
    for (const [socket, { answers, isStream }] of this.#all)
      if (isStream) socket.destroy();
      else if (answers === 0) socket.end();
  }

  #await(socket: Socket, client: Client, ms: number): void {
    client.timer = setTimeout(() => socket.destroy(), ms);
  }

  #stopWaiting(client: Client): void {
    if (client.timer !== null) clearTimeout(client.timer);
    client.timer = null;
  }
}
