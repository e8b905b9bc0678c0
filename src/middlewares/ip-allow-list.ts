// ipAllowList: lets in the addresses of some networks, and nobody else. As in Traefik, where its old name is ipWhiteList.

import { networkHolds, parseAddress, parseNetwork } from "../rules/address.ts";
import { type Client, type Middleware, PASS, type Verdict } from "./middleware.ts";

const NOT_ALLOWED: Verdict = { kind: "refuse", reason: "address-not-allowed" };

export class IpAllowList implements Middleware {
  readonly stage = "address";
  readonly #networks: readonly NonNullable<ReturnType<typeof parseNetwork>>[];

  /** Addresses and networks in CIDR form; what is neither holds nobody. */
  constructor(sourceRange: readonly string[]) {
    this.#networks = sourceRange.map(parseNetwork).filter((network) => network !== null);
  }

  judge({ clientAddress }: Client): Verdict {
    const address = parseAddress(clientAddress);
    if (address === null) return NOT_ALLOWED;
    for (const network of this.#networks) if (networkHolds(network, address, 0, address.length)) return PASS;
    return NOT_ALLOWED;
  }
}
