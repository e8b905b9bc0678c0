// Services as plain data, and what choosing among their servers looks like; the ways of choosing are in load-balancer.ts and weighted.ts.

import type { Passive } from "./health.ts";
import type { LivePolicy } from "./live.ts";
import type { ServerState } from "./server-state.ts";

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
  /** For all dials of a client together; left out: DIAL_BUDGET_MS, or the dialTimeout where that is longer. */
  readonly dialBudgetMs?: number;
  /** How long the first byte of a server may take; 0: for ever; left out: FIRST_BYTE_MS. */
  readonly firstByteTimeoutMs?: number;
  /** Negative: off. */
  readonly keepAliveMs: number;
  /** Negative: for ever. */
  readonly terminationDelayMs: number;
  /** The PROXY header that is sent first; null: none. */
  readonly proxyProtocol: ProxyProtocolOut | null;
  /** Addresses of this machine to dial from, in turn; left out: the system chooses. */
  readonly sourceAddresses?: readonly string[];
  readonly tls: {
    /** null: the server's own name is verified (`verifiedName`). */
    readonly serverName: string | null;
    readonly insecureSkipVerify: boolean;
    /** PEM; null is the public authorities that Bun brings. */
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
}

const DIAL_BUDGET_MS = 30_000;
export const FIRST_BYTE_MS = 10_000;

/** How long all dials of a client may take together. Milliseconds. */
export function dialBudgetOf({ dialBudgetMs, dialTimeoutMs }: Transport): number {
  return dialBudgetMs ?? Math.max(DIAL_BUDGET_MS, dialTimeoutMs);
}

/** What is optional is left out where nobody has asked for it: there may be 10 000. */
export interface Server {
  /** Also the metric label. */
  readonly address: string;
  /** A name, an IP address, or the absolute path of a Unix socket; then the port is 0. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** No new connection goes there; what becomes of those that are open. */
  readonly drain?: LivePolicy;
  /** 1 when it is left out; 0: it is never chosen. */
  readonly weight?: number;
  /** Connections that it has at most, over all workers. */
  readonly maxConnections?: number;
  /** It is for when no other one can be chosen. */
  readonly backup?: boolean;
  /** The name by which DNS was asked for this server: its certificate is for that name. Left out: its host. */
  readonly name?: string;
  /** DNS says which servers these are. The master makes them of it (control/server-names.ts): a worker gets no server with it. */
  readonly discover?: Discovery;
}

/** What a client is known by, to come to the same server again. */
export type ClientKey = "clientId" | "username" | "clientIP" | "sni" | "certificate";

/** How a load balancer chooses among its servers; what is left out is as it is by default. */
export interface Balancing {
  /** wrr when it is left out. */
  readonly strategy?: "wrr" | "leastconn" | "p2c" | "hrw";
  /** clientId when it is left out; only of hrw. */
  readonly hashKey?: ClientKey;
  readonly sticky?: { readonly key: ClientKey; readonly maxEntries: number };
  /** How long a server that comes up grows to its weight. */
  readonly slowStartMs?: number;
  /** Whether a client id that comes to another server than its older connection ends that one. */
  readonly takeover?: "close";
}

export type AddressFamilies = "all" | "ipv4" | "ipv6";

/** `addresses`: those of `host` are servers. `srv`: the SRV records of `host` are, or with `families` the addresses of their hosts. */
export type Discovery =
  | { readonly kind: "addresses"; readonly families: AddressFamilies }
  | { readonly kind: "srv"; readonly families: AddressFamilies | null };

/** Service and address in one word: what is known of a server goes by it. */
export function serverKey(service: string, address: string): string {
  return `${service} ${address}`;
}

/** The name that a server's certificate must be for. */
export function verifiedName({ host, name }: Server, { tls }: Transport): string {
  return tls.serverName ?? name ?? host;
}

/** A service with references by name, as it goes from master to worker. */
export type ServiceRow =
  | LoadBalancerRow
  | { readonly kind: "weighted"; readonly services: readonly { readonly name: string; readonly weight: number }[] }
  | FailoverRow;

export interface LoadBalancerRow {
  readonly kind: "loadBalancer";
  readonly servers: readonly Server[];
  readonly transport: Transport;
  /** Left out where it is DEFAULT_PASSIVE. */
  readonly passive?: Passive;
  /** What becomes of connections whose server is removed from it; they are kept where it is left out. */
  readonly onRemove?: LivePolicy;
  readonly balancing?: Balancing;
}

export interface FailoverRow {
  readonly kind: "failover";
  readonly service: string;
  readonly fallback: string;
  /** How long a server of `service` must have been up again. Milliseconds. */
  readonly returnAfterMs: number;
}

/** The names of the services that one is made of. */
export function childrenOf(row: ServiceRow): readonly string[] {
  switch (row.kind) {
    case "loadBalancer":
      return [];
    case "weighted":
      return row.services.map(({ name }) => name);
    case "failover":
      return [row.service, row.fallback];
  }
}

/** One server with everything a dial to it needs. */
export interface Target {
  readonly service: string;
  /** Service and address in one word: what is counted per server goes by it. */
  readonly key: string;
  readonly server: Server;
  readonly transport: Transport;
  /** DEFAULT_PASSIVE when it is left out. */
  readonly passive?: Passive;
  /** Whether a client id that it lets in ends its older connection on another server. */
  readonly takesOver?: boolean;
  readonly state: ServerState;
}

/** What a client may be known by when its server is chosen. A text is "" while it is not known. */
export interface Chooser {
  readonly clientAddress: string;
  readonly sni: string;
  /** As the server will read it. */
  readonly clientId: string;
  /** As the server will read it. */
  readonly username: string;
  /** SHA-256 of the client's verified certificate, in hexadecimal. */
  readonly certificate: string;
}

/** The servers for one connection, in the order in which they are tried. */
export interface Choice {
  /** The next one that is fit; null: no further one is. */
  next(): Target | null;
  /** The next of those that are down, for when all others have failed; null: no further one is. */
  lastResort(): Target | null;
  /** Whether a server was passed over because it has all the connections that it may have. */
  readonly wasFull: boolean;
  /** The server, one that was given, is the one that was reached: not always the one that was given last. */
  reached(target: Target): void;
}

/** Chooses where a connection goes. */
export interface Balancer {
  choose(client: Chooser): Choice;
  /** Whether a choice would give one that is not a last resort. */
  readonly isUsable: boolean;
}
