// inFlightConn: at most so many connections of one address at a time. As in Traefik, but the count goes by the middleware's name: the
// routers that use it share it, and it outlives a reload.

import type { Client, Lease, Middleware, Verdict } from "./middleware.ts";

const TOO_MANY: Verdict = { kind: "refuse", reason: "too-many-connections" };

/** The open connections of one address. The table of addresses is bounded by the connections that a worker may have. */
class InFlight implements Lease {
  count = 0;
  readonly #address: string;
  readonly #all: Map<string, InFlight>;

  constructor(address: string, all: Map<string, InFlight>) {
    this.#address = address;
    this.#all = all;
  }

  release(): void {
    if (--this.count === 0) this.#all.delete(this.#address);
  }
}

export class InFlightConn implements Middleware {
  readonly stage = "address";
  readonly #amount: number;
  readonly #addresses: Map<string, InFlight>;

  /** `amount` 0 refuses everybody, as in Traefik. `former` is the one of the same name whose connections still count. */
  constructor(amount: number, former: InFlightConn | null = null) {
    this.#amount = amount;
    this.#addresses = former === null ? new Map() : former.#addresses;
  }

  /** Addresses that have a connection. */
  get size(): number {
    return this.#addresses.size;
  }

  judge({ clientAddress }: Client): Verdict {
    const known = this.#addresses.get(clientAddress);
    if ((known?.count ?? 0) >= this.#amount) return TOO_MANY;
    const inFlight = known ?? new InFlight(clientAddress, this.#addresses);
    if (known === undefined) this.#addresses.set(clientAddress, inFlight);
    inFlight.count++;
    return { kind: "pass", lease: inFlight };
  }
}
