// The HTTP side, served by the master: a map of paths for each entry point.
//
// By node:http and not by Bun.serve: that one closes a connection, with no answer to anything, when a request comes while the answer to
// the one before it is not ready (HTTP/1.1 pipelining, RFC 9112 9.3.2).

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Clients } from "./clients.ts";
import { listenOn, listenShared } from "./listener.ts";

export interface Answer {
  readonly status?: number;
  /** text/plain without it. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** An answer without an end: what is written goes to the client until it leaves. */
export interface StreamAnswer {
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once. What it returns is called when the client has gone, or has not taken what was written. */
  stream(write: (text: string) => void): () => void;
}

export interface Question {
  /** GET for HEAD too. */
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** From the Host header, without a port, in lower case; "" where there is none that makes sense. */
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
  /** The client's address; null on a Unix socket. */
  readonly address: string | null;
  /** Empty where the handler takes none. */
  readonly body: Buffer;
}

/** null is: not found. May throw or reject, which is status 500. */
export type Handle = (question: Question) => Answer | StreamAnswer | null | Promise<Answer | StreamAnswer | null>;
export type Handler = Handle | Service;

/** A handler that takes more than GET and HEAD. */
export interface Service {
  readonly methods: readonly string[];
  /** Bytes; a longer body is status 413. */
  readonly maxBody: number;
  readonly handle: Handle;
}

/** Handlers by path; one that ends with "/" is for all paths that begin with it. */
export type Paths = ReadonlyMap<string, Handler>;

/** Where it listens; a Unix socket is made with mode 0600. `isShared`: a Sluice that this one is to follow listens there too. */
export type ListenAt =
  | { readonly host: string; readonly port: number; readonly isShared?: boolean }
  | { readonly path: string };

export interface AdminServer {
  /** 0 for a Unix socket. */
  readonly port: number;
  /** Accepts no more. Connections are closed when their answer is out, and at once where none is under way, or where it has no end. */
  stop(): void;
}

/** Who does not take an answer within this is closed. Milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Requests of one connection; the last one's answer says that the connection ends. So one that never reads holds no more answers. */
const MAX_REQUESTS = 100;
/** Requests to one handler that wait for an answer or whose answer is not taken yet; over it the answer is 503. */
const MAX_ANSWERS = 64;
/** Answers without an end at a time. */
const MAX_STREAMS = 32;
/** Bytes of a stream that wait for a client; one that is so far behind is closed. */
const MAX_BEHIND = 1024 * 1024;

const GET: readonly string[] = ["GET", "HEAD"];

/** @throws the system's error when it cannot listen. */
export async function serveAdmin(at: ListenAt, paths: Paths): Promise<AdminServer> {
  const answering = new Map<Handler, number>();
  const asked = new WeakMap<Socket, number>();
  const clients = new Clients();
  let streams = 0;
  const server = createServer((request, response) => {
    const { socket } = request;
    const requests = (asked.get(socket) ?? 0) + 1;
    asked.set(socket, requests);
    if (requests > MAX_REQUESTS) return void socket.destroy();
    clients.asks(socket, response);
    if (requests === MAX_REQUESTS) response.setHeader("connection", "close");
    const timer = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS);
    response.once("close", () => clearTimeout(timer));
    const { path, query } = split(request.url ?? "/");
    const handler = handlerOf(paths, path);
    if (handler === null) return send(request, response, NOT_FOUND);
    const { methods, maxBody, handle } =
      typeof handler === "function" ? { methods: GET, maxBody: 0, handle: handler } : handler;
    if (!methods.includes(request.method ?? "")) return send(request, response, notAllowed(methods));
    const open = answering.get(handler) ?? 0;
    if (open >= MAX_ANSWERS) return send(request, response, BUSY);
    answering.set(handler, open + 1);
    let isAnswering = true;
    const answered = () => {
      if (isAnswering) answering.set(handler, answering.get(handler)! - 1);
      isAnswering = false;
    };
    response.once("close", answered);
    const reply = async () => {
      const body = maxBody === 0 ? NOTHING : await bodyOf(request, maxBody);
      if (body === null) return send(request, response, TOO_LARGE);
      const found = await answer(handle, {
        method: request.method === "HEAD" ? "GET" : request.method!,
        path,
        query: new URLSearchParams(query),
        host: hostOf(request.headers.host),
        headers: request.headers,
        address: "path" in at ? null : (socket.remoteAddress ?? ""),
        body,
      });
      if (!("stream" in found)) return send(request, response, found);
      if (streams >= MAX_STREAMS) return send(request, response, BUSY);
      // It has no end, and who asks for the head alone waits for it.
      if (request.method === "HEAD") return send(request, response, { ...found, body: "" });
      answered();
      clearTimeout(timer);
      clients.isStream(socket);
      streams++;
      response.once("close", () => streams--);
      stream(response, found);
    };
    // The client has gone while its body was read.
    reply().catch(() => socket.destroy());
  });
  const accept = (socket: Socket) => {
    if (clients.add(socket)) server.emit("connection", socket);
  };
  const listener = await ("path" in at
    ? listenOn({ path: at.path }, accept)
    : listenShared(at.host, at.port, at.isShared === true, accept));
  const address = listener.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    stop: () => {
      listener.close();
      clients.close();
    },
  };
}

function split(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** null: it is longer than that. */
async function bodyOf(request: IncomingMessage, max: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > max) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function stream(response: ServerResponse, { type, headers, stream: begin }: StreamAnswer): void {
  response.writeHead(200, { ...SAFE, ...headers, "content-type": type, "cache-control": "no-store" });
  response.flushHeaders();
  const end = begin((text) => {
    if (response.writableLength > MAX_BEHIND) response.destroy();
    else response.write(text);
  });
  response.once("close", end);
}

function handlerOf(paths: Paths, path: string): Handler | null {
  const exact = paths.get(path);
  if (exact !== undefined) return exact;
  for (const [prefix, handler] of paths) if (prefix.endsWith("/") && path.startsWith(prefix)) return handler;
  return null;
}

async function answer(handle: Handle, question: Question): Promise<Answer | StreamAnswer> {
  try {
    return (await handle(question)) ?? NOT_FOUND;
  } catch {
    return { status: 500, body: "internal error\n" };
  }
}

const NOTHING = Buffer.alloc(0);
const NOT_FOUND: Answer = { status: 404, body: "not found\n" };
const BUSY: Answer = { status: 503, body: "busy\n" };
const TOO_LARGE: Answer = { status: 413, body: "the body is too large\n" };
/** Whatever is served, no browser takes it for something else, or keeps it. */
const SAFE = { "x-content-type-options": "nosniff" } as const;

function notAllowed(methods: readonly string[]): Answer {
  return { status: 405, headers: { allow: methods.join(", ") }, body: "method not allowed\n" };
}

function hostOf(header: string | undefined): string {
  return (/^(\[[\da-f:.]+\]|[^:[\]/@]+)(:\d*)?$/i.exec(header ?? "")?.[1] ?? "").toLowerCase();
}

function send(request: IncomingMessage, response: ServerResponse, { status = 200, type, headers, body }: Answer): void {
  response.writeHead(status, {
    ...SAFE,
    ...headers,
    "content-type": type ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    // What is left of a body is not read.
    ...(request.complete || request.method === "GET" || request.method === "HEAD" ? {} : { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
