// ipAllowList: lets in the addresses of some networks, and nobody else. As in Traefik, where its old name is ipWhiteList. ipDenyList: lets
// in all others.

import { parseAddress } from "../ip/address.ts";
import { joinNetworks, type NetworkList } from "../ip/network-parts.ts";
import { NetworkSet } from "../ip/network-set.ts";
import { type Client, type Middleware, type MiddlewareReject, PASS, type Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. */
export interface IpListRow {
  readonly kind: "ipAllowList" | "ipDenyList";
  /** Addresses and networks in CIDR form; what is neither holds nobody. */
  readonly sourceRange: readonly string[];
  /** What its file holds; null: it has none. */
  readonly sourceFile: NetworkList | null;
}

const REJECTS = {
  ipAllowList: "address-not-allowed",
  ipDenyList: "address-denied",
} as const satisfies Readonly<Record<IpListRow["kind"], MiddlewareReject>>;

export class IpList implements Middleware {
  readonly stage = "address";
  readonly #kind: IpListRow["kind"];
  readonly #sets: readonly NetworkSet[];
  /** A part of the list is not here, which the master does not do: nobody passes. */
  readonly #isWhole: boolean = true;

  /** `partOf` gives a part of a file's networks by its name. */
  constructor({ kind, sourceRange, sourceFile }: IpListRow, partOf: (name: string) => string | null) {
    this.#kind = kind;
    const sets: NetworkSet[] = [];
    if (sourceRange.length > 0) sets.push(NetworkSet.read(sourceRange));
    if (sourceFile !== null) {
      const set = joinNetworks(sourceFile, partOf);
      if (set === null) this.#isWhole = false;
      else sets.push(set);
    }
    this.#sets = sets;
  }

  /** Why it refuses who comes from there; null: it does not. Text that is no address passes no list. */
  reject(address: Uint8Array | null): MiddlewareReject | null {
    const isIn = address !== null && this.#sets.some((set) => set.has(address));
    const passes = this.#isWhole && address !== null && isIn === (this.#kind === "ipAllowList");
    return passes ? null : REJECTS[this.#kind];
  }

  judge({ clientAddress }: Client): Verdict {
    const reason = this.reject(parseAddress(clientAddress));
    return reason === null ? PASS : { kind: "refuse", reason };
  }
}
