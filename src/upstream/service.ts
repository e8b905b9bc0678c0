// Services as plain data, and in which order their servers are tried.

/** What a PROXY header of version 2 may say besides addresses. */
export type ProxyTlv = "alpn" | "authority" | "ssl" | "uniqueId" | "crc32c";

export interface ProxyProtocolOut {
  /** 1 or 2. */
  readonly version: number;
  readonly tlvs: readonly ProxyTlv[];
}

/** How a broker is dialled. Times in milliseconds. */
export interface Transport {
  readonly dialTimeoutMs: number;
  /** Negative: off. */
  readonly keepAliveMs: number;
  /** Negative: for ever. */
  readonly terminationDelayMs: number;
  /** The PROXY header that is sent first; null: none. */
  readonly proxyProtocol: ProxyProtocolOut | null;
  readonly tls: {
    /** null: the server's host is the name that is verified. */
    readonly serverName: string | null;
    readonly insecureSkipVerify: boolean;
    /** PEM; null is the public authorities that Bun brings. */
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
}

export interface Server {
  /** Also the metric label. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** A service with references by name, as it goes from master to worker. */
export type ServiceRow =
  | { readonly kind: "loadBalancer"; readonly servers: readonly Server[]; readonly transport: Transport }
  | { readonly kind: "weighted"; readonly services: readonly { readonly name: string; readonly weight: number }[] };

/** One server with everything a dial to it needs. */
export interface Target {
  readonly service: string;
  /** Service and address in one word: what is counted per server goes by it. */
  readonly key: string;
  readonly server: Server;
  readonly transport: Transport;
}

/** Chooses where a connection goes: `order` gives every server once, the chosen one first, the rest for when it fails. */
export interface Balancer {
  order(): readonly Target[];
}

/** Round robin over a load balancer's servers. */
export class RoundRobin implements Balancer {
  readonly #rotations: readonly (readonly Target[])[];
  #next: number;

  /** `start` spreads the first connections of several workers over the servers. */
  constructor(targets: readonly Target[], start = 0) {
    this.#rotations = targets.map((_, index) => [...targets.slice(index), ...targets.slice(0, index)]);
    this.#next = targets.length === 0 ? 0 : start % targets.length;
  }

  order(): readonly Target[] {
    const rotation = this.#rotations[this.#next];
    if (rotation === undefined) return [];
    this.#next = (this.#next + 1) % this.#rotations.length;
    return rotation;
  }
}

/** Smooth weighted round robin (as in nginx): in any run of sum(weights) choices each child comes exactly `weight` times. */
export class Weighted implements Balancer {
  readonly #children: { readonly balancer: Balancer; readonly weight: number; current: number }[];
  readonly #total: number;

  /** A child of weight 0 is never used. */
  constructor(children: readonly { balancer: Balancer; weight: number }[]) {
    this.#children = children.filter((child) => child.weight > 0).map((child) => ({ ...child, current: 0 }));
    this.#total = this.#children.reduce((sum, child) => sum + child.weight, 0);
  }

  order(): readonly Target[] {
    let best = this.#children[0];
    if (best === undefined) return [];
    for (const child of this.#children) {
      child.current += child.weight;
      if (child.current > best.current) best = child;
    }
    best.current -= this.#total;
    if (this.#children.length === 1) return best.balancer.order();
    const rest = this.#children.filter((child) => child !== best);
    return [best, ...rest].flatMap((child) => child.balancer.order());
  }
}
