// The HTTP side, served by the master: /metrics, /ping and HTTP-01 challenges, each on its entry point.

import type { Server } from "bun";

export interface AdminPaths {
  /** Prometheus' text format, where this address serves /metrics. */
  readonly metrics: (() => Promise<string>) | null;
  /** Where this address serves /ping: false while Sluice is stopping. */
  readonly ping: (() => boolean) | null;
  /** What answers an HTTP-01 challenge (RFC 8555 8.3), where this address serves them; null for one that is not under way. */
  readonly challenge: ((host: string, token: string) => string | null) | null;
}

const CHALLENGE = "/.well-known/acme-challenge/";

/** @throws the system's error when it cannot listen. */
export function serveAdmin(host: string, port: number, paths: AdminPaths): Server<undefined> {
  return Bun.serve({
    hostname: host === "" ? "::" : host,
    port,
    reusePort: false,
    idleTimeout: 30,
    maxRequestBodySize: 1024,
    development: false,
    fetch: (request) => answer(request, paths),
    error: () => new Response("internal error\n", { status: 500 }),
  });
}

async function answer(request: Request, paths: AdminPaths): Promise<Response> {
  // Without a Host header, as HTTP/1.0 allows, the URL is a path alone.
  const { pathname, hostname } = new URL(request.url, "http://localhost");
  if (paths.challenge !== null && pathname.startsWith(CHALLENGE) && request.method === "GET") {
    const text = paths.challenge(hostname, pathname.slice(CHALLENGE.length));
    if (text !== null) return new Response(text, { headers: { "content-type": "application/octet-stream" } });
  }
  const handler = pathname === "/metrics" ? paths.metrics : pathname === "/ping" ? paths.ping : null;
  if (handler === null) return new Response("not found\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD")
    return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
  const result = await handler();
  if (typeof result === "string")
    return new Response(result, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  return result ? new Response("OK") : new Response("stopping\n", { status: 503 });
}
