// Whether a server is one that strangers may reach as well as Sluice does.

import { networkHolds, parseAddress, parseNetwork } from "../ip/address.ts";
import type { Server } from "../upstream/service.ts";

/** Loopback, private, shared and link-local addresses (RFC 6890), IPv4 also as IPv6 writes it. */
const NEAR = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
].map((network) => parseNetwork(network)!);

/** Names that no public DNS has: of one label, as containers call each other, and under domains that are kept for private use. */
const NEAR_NAME = /^[^.]+\.?$|\.(localhost|local|internal|lan|home\.arpa|svc|svc\.cluster\.local)\.?$/i;

/** A server without TLS whose address, or whose name, is a public one. */
export function isOpen(server: Server): boolean {
  return !server.tls && isPublic(server);
}

/**
 * A server whose address, or whose name, is a public one. What a name stands for is not looked up: a configuration is checked where it is
 * written, which may be far from where it runs.
 */
export function isPublic({ host }: Server): boolean {
  if (host.startsWith("/")) return false; // a Unix socket
  const address = parseAddress(host);
  if (address === null) return !NEAR_NAME.test(host);
  return !NEAR.some((network) => networkHolds(network, address, 0, address.length));
}
