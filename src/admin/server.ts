// The HTTP side, served by the master: a map of paths for each entry point.
//
// By node:http and not by Bun.serve: that one closes a connection, with no answer to anything, when a request comes while the answer to
// the one before it is not ready (HTTP/1.1 pipelining, RFC 9112 9.3.2).

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Answer {
  readonly status?: number;
  /** text/plain without it. */
  readonly type?: string;
  readonly body: string | Buffer;
}

export interface Question {
  readonly path: string;
  /** From the Host header, without a port, in lower case; "" where there is none that makes sense. */
  readonly host: string;
}

/** null is: not found. May throw or reject, which is status 500. */
export type Handler = (question: Question) => Answer | null | Promise<Answer | null>;

/** Handlers by path; one that ends with "/" is for all paths that begin with it. GET and HEAD alone come to them. */
export type Paths = ReadonlyMap<string, Handler>;

export interface AdminServer {
  readonly port: number;
  /** Closes every connection. */
  stop(): void;
}

/** Who sends a request slower than this, or is silent between two, is closed. Milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
/** Who does not take an answer within this is closed. Milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Requests of one connection; the last one's answer says that the connection ends. So one that never reads holds no more answers. */
const MAX_REQUESTS = 100;
/** Connections at a time. */
const MAX_CONNECTIONS = 512;
/** Requests to one handler that wait for an answer or whose answer is not taken yet; over it the answer is 503. */
const MAX_ANSWERS = 64;

/** @throws the system's error when it cannot listen. */
export function serveAdmin(host: string, port: number, paths: Paths): Promise<AdminServer> {
  const answering = new Map<Handler, number>();
  const asked = new WeakMap<Socket, number>();
  const server = createServer((request, response) => {
    const { socket } = request;
    const requests = (asked.get(socket) ?? 0) + 1;
    asked.set(socket, requests);
    if (requests > MAX_REQUESTS) return void socket.destroy();
    if (requests === MAX_REQUESTS) response.setHeader("connection", "close");
    const timer = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS);
    response.once("close", () => clearTimeout(timer));
    const path = (request.url ?? "/").split("?")[0]!;
    const handler = handlerOf(paths, path);
    if (handler === null) return send(request, response, NOT_FOUND);
    if (request.method !== "GET" && request.method !== "HEAD")
      return send(request, response, { status: 405, body: "method not allowed\n" });
    const open = answering.get(handler) ?? 0;
    if (open >= MAX_ANSWERS) return send(request, response, { status: 503, body: "busy\n" });
    answering.set(handler, open + 1);
    response.once("close", () => answering.set(handler, answering.get(handler)! - 1));
    void answer(handler, { path, host: hostOf(request.headers.host) }).then((found) => send(request, response, found));
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = IDLE_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({
        port: (server.address() as AddressInfo).port,
        stop: () => {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

function handlerOf(paths: Paths, path: string): Handler | null {
  const exact = paths.get(path);
  if (exact !== undefined) return exact;
  for (const [prefix, handler] of paths) if (prefix.endsWith("/") && path.startsWith(prefix)) return handler;
  return null;
}

async function answer(handler: Handler, question: Question): Promise<Answer> {
  try {
    return (await handler(question)) ?? NOT_FOUND;
  } catch {
    return { status: 500, body: "internal error\n" };
  }
}

const NOT_FOUND: Answer = { status: 404, body: "not found\n" };

function hostOf(header: string | undefined): string {
  return (/^(\[[\da-f:.]+\]|[^:[\]/@]+)(:\d*)?$/i.exec(header ?? "")?.[1] ?? "").toLowerCase();
}

function send(request: IncomingMessage, response: ServerResponse, { status = 200, type, body }: Answer): void {
  response.writeHead(status, {
    "content-type": type ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
    // Nothing of a body is read.
    ...(request.method === "GET" || request.method === "HEAD" ? {} : { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
