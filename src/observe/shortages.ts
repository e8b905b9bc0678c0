// What the machine has no more of. Told in one line a minute, however many connections it costs.

import type { Shortage } from "../net/dial-error.ts";
import type { Logger } from "./logger.ts";

const QUIET_MS = 60_000;

const REMEDIES: Readonly<Record<Shortage, string>> = {
  descriptors:
    "no descriptors are left: clients are closed and brokers cannot be dialled; raise the limit (ulimit -n, LimitNOFILE) and restart, or lower limits.maxConnections",
  "local-ports":
    "no local ports are left for dials: widen net.ipv4.ip_local_port_range, or give the transport sourceAddresses, or more of them",
  "source-addresses":
    "no address in sourceAddresses is on this machine just now, and nothing can be dialled from them: add them to a network interface, or mend the list",
};

export class Shortages {
  readonly #logger: Logger;
  readonly #toldAt = new Map<Shortage, number>();
  readonly counts: Record<Shortage, number> = { descriptors: 0, "local-ports": 0, "source-addresses": 0 };

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  note(resource: Shortage): void {
    this.counts[resource]++;
    const now = performance.now();
    const last = this.#toldAt.get(resource);
    if (last !== undefined && now - last < QUIET_MS) return;
    this.#toldAt.set(resource, now);
    this.#logger.warn({ resource }, REMEDIES[resource]);
  }
}
