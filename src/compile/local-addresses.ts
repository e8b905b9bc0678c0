// Whether an address is one of this machine.

import { networkInterfaces } from "node:os";
import { networkHolds, parseAddress, parseNetwork } from "../ip/address.ts";

/** Of loopback interfaces the whole network is the machine's own, of others the address alone. What cannot be read is no address. */
export function isLocalAddress(text: string, interfaces = networkInterfaces()): boolean {
  const wanted = parseAddress(text);
  if (wanted === null) return false;
  for (const { address, cidr, internal } of Object.values(interfaces).flatMap((each) => each ?? [])) {
    const network = parseNetwork(internal && cidr !== null ? cidr : address);
    if (network !== null && networkHolds(network, wanted, 0, wanted.length)) return true;
  }
  return false;
}
