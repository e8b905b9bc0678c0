// bandwidth: how many bytes a second each connection may send and get. It refuses nobody; the relay keeps to it.

import type { Middleware, Passed, Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. Bytes per second; null: as fast as it goes. */
export interface BandwidthRow {
  readonly kind: "bandwidth";
  readonly in: number | null;
  readonly out: number | null;
  /** Bytes that may come at once after a pause; null: those of a second. */
  readonly burst: number | null;
}

export class Bandwidth implements Middleware {
  readonly stage = "address";
  readonly #pass: Passed;

  constructor({ in: fromClient, out: toClient, burst }: BandwidthRow) {
    const rate = (bytesPerSecond: number | null) =>
      bytesPerSecond === null ? null : { bytesPerSecond, burst: burst ?? bytesPerSecond };
    this.#pass = { kind: "pass", lease: null, bandwidth: { in: rate(fromClient), out: rate(toClient) } };
  }

  judge(): Verdict {
    return this.#pass;
  }
}
