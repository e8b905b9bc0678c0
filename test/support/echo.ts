// What most end-to-end tests put Sluice in front of: a server that sends everything back, reached by TLS under the name localhost.

import { expect } from "bun:test";
import type { Socket } from "node:net";
import { Authority } from "./certs.ts";
import { tcpServer, tlsClient } from "./clients.ts";

export interface EchoEdge {
  readonly backend: Awaited<ReturnType<typeof tcpServer>>;
  /** The dynamic configuration: one router for localhost that terminates, one service `echo`, one certificate. */
  readonly dynamic: string;
}

/** Sends back what comes, and ends when the other side does. */
export function echo(socket: Socket): void {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("end", () => socket.end());
}

export async function echoEdge(): Promise<EchoEdge> {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["localhost"] });
  const backend = await tcpServer(echo);
  const dynamic = `
tcp:
  routers: { echo: { rule: "HostSNI(\`localhost\`)", service: echo, tls: {} } }
  services: { echo: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;
  return { backend, dynamic };
}

/** A client comes through, and what it sends comes back. */
export async function echoes(port: number): Promise<void> {
  const socket = await tlsClient(port);
  const echoed = new Promise((resolve) => socket.once("data", resolve));
  socket.write("alive");
  expect(String(await echoed)).toBe("alive");
  socket.destroy();
}
