// Which IP addresses a host stands for, to listen there.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { bindAlone, closeSocket } from "./listening-socket.ts";

let everyAddress: "::" | "0.0.0.0" | null = null;

/**
 * Every address: IPv6 with IPv4 mapped into it, or IPv4 alone where the system has no IPv6 or refuses it. Found out once, by trying: there
 * is no error that means only this.
 */
function all(): "::" | "0.0.0.0" {
  if (everyAddress === null) {
    try {
      closeSocket(bindAlone({ address: "::", port: 0 }));
      everyAddress = "::";
    } catch {
      everyAddress = "0.0.0.0";
    }
  }
  return everyAddress;
}

/** `host`, or every address for "". */
export function addressOf(host: string): string {
  return host === "" ? all() : host;
}

/** In the order in which they are to be tried. @throws the resolver's error for a name that does not resolve. */
export async function addressesOf(host: string): Promise<readonly string[]> {
  if (host === "" || isIP(host) !== 0) return [addressOf(host)];
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
