// ipAllowList: lets in the addresses of some networks, and nobody else. As in Traefik, where its old name is ipWhiteList.

import { networkHolds, parseAddress, parseNetwork } from "../ip/address.ts";
import { type Client, type Middleware, PASS, type Verdict } from "./middleware.ts";

const NOT_ALLOWED: Verdict = { kind: "refuse", reason: "address-not-allowed" };

export class IpAllowList implements Middleware {
  readonly stage = "address";
  readonly #networks: readonly NonNullable<ReturnType<typeof parseNetwork>>[];

  /** Addresses and networks in CIDR form; what is neither holds nobody. */
  constructor(sourceRange: readonly string[]) {
    this.#networks = sourceRange.map(parseNetwork).filter((network) => network !== null);
  }

  /** Text that is no address is in no network. */
  allows(address: string): boolean {
    const bytes = parseAddress(address);
    if (bytes === null) return false;
    for (const network of this.#networks) if (networkHolds(network, bytes, 0, bytes.length)) return true;
    return false;
  }

  judge({ clientAddress }: Client): Verdict {
    return this.allows(clientAddress) ? PASS : NOT_ALLOWED;
  }
}
