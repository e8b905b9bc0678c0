// What `sluice explain` knows of a client, as plain data: text and JSON are made of it.

import type { EntryPointConfig } from "../config/entry-points.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import type { RouterAction } from "../protocol/messages.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { MqttFacts } from "../rules/ast.ts";
import type { Why } from "../rules/explain.ts";
import type { ServerTlsOptions } from "../tls/options.ts";
import type { LivePolicy } from "../upstream/live.ts";
import type { ProxyProtocolOut } from "../upstream/service.ts";
import type { ServerFinding } from "./watching.ts";

/** One client, or several that no rule tells apart, on one entry point. This is what --json prints: it is documented in docs/operations.md. */
export interface Explanation {
  readonly entryPoint: {
    readonly name: string;
    readonly address: string;
    /** Whose PROXY headers say where a client comes from; null: none is read. */
    readonly proxyProtocol: EntryPointConfig["proxyProtocol"];
    readonly admission: EntryPointConfig["admission"];
  };
  readonly client: {
    readonly tls: boolean;
    readonly sni: string | null;
    readonly alpn: readonly string[];
    /** An address, networks, or "anywhere", "other IPv4", "other IPv6". */
    readonly from: readonly string[];
    readonly to: string | null;
    /** The subject of the certificate that is given; null: none is. */
    readonly certificate: string | null;
    /** What is given of its CONNECT: `username` is null where it sends none. */
    readonly connect: Partial<MqttFacts>;
  };
  readonly verdict: ExpectedResult;
  readonly router: RouterFacts | null;
  /** null: which router it is has nothing to do with the CONNECT. */
  readonly connect: ConnectFacts | null;
  /** Those of the router, in the order in which they are asked. */
  readonly middlewares: readonly MiddlewareFacts[];
  readonly tls: TlsFacts | null;
  readonly certificates: readonly CertificateChoice[];
  readonly service: ServiceFacts | null;
  /** Routers that come before it and do not match; the nearest ones. */
  readonly before: Listed<RouterFacts & { readonly why: Why }>;
  /** Routers that match too, and come later. */
  readonly after: Listed<RouterFacts & { readonly why: string }>;
  readonly others: {
    readonly otherEntryPoints: number;
    /** On this entry point, for clients with TLS where this one has none, or the other way round. */
    readonly otherKind: number;
  };
  readonly notes: readonly string[];
}

export interface ExpectedResult {
  readonly served: boolean;
  readonly action: "terminate" | "passthrough" | "plain" | "refuse";
  /** The reason in the access log; null when the client is served. */
  readonly reason: Reason | null;
  /** What a refused client sees. */
  readonly sees: string | null;
  readonly problems: readonly string[];
}

export interface Listed<T> {
  readonly total: number;
  readonly shown: readonly T[];
}

export interface RouterFacts {
  readonly name: string;
  readonly rule: string;
  readonly priority: number;
  readonly priorityFrom: "given" | "rule length" | "catch-all";
  readonly action: RouterAction["kind"];
  readonly service: string;
  readonly place: string;
}

export interface ConnectFacts {
  /** The first router that could be right before the CONNECT is read. By its TLS settings the client is served until then. */
  readonly provisional: RouterFacts;
  /** What is not known of the client, and must be true of it for this answer; null: nothing. */
  readonly when: Why | null;
  /** What is not known of it, and must not be true. */
  readonly unless: readonly Why[];
}

export interface MiddlewareFacts {
  readonly name: string;
  readonly kind: MiddlewareRow["kind"];
  readonly place: string;
  /** What it does with this client, in words. */
  readonly says: string;
}

export interface TlsFacts {
  readonly options: string;
  readonly place: string | null;
  readonly minVersion: string;
  readonly maxVersion: string;
  readonly ciphers: string | null;
  readonly curves: string | null;
  readonly clientAuth: {
    readonly type: ServerTlsOptions["clientAuth"];
    readonly authorities: readonly string[];
    readonly revocationLists: number | null;
    readonly allowedNames: readonly string[];
  };
  readonly alpn: {
    /** What the options list; null: they say nothing. */
    readonly protocols: readonly string[] | null;
    readonly answer: string | null;
  };
  readonly sniStrict: boolean;
}

export interface CertificateChoice {
  /** Which of the clients so described; "all" when there is no choice. */
  readonly clients: string;
  readonly match: "exact" | "wildcard" | "default" | "self-signed";
  readonly names: readonly string[];
  readonly commonName: string;
  readonly serial: string;
  readonly keyType: string;
  /** null: a resolver has obtained it, or Sluice has made it. */
  readonly source: string | null;
  readonly notAfter: string;
  readonly expired: boolean;
}

export interface ServiceFacts {
  readonly name: string;
  readonly place: string;
  readonly tree: ServiceNode;
  /** The servers in the order in which they would be dialled for the first connection of the first worker. Where they are chosen by what the client is, it is this client's order. */
  readonly order: Listed<string>;
}

export interface ServiceNode {
  readonly name: string;
  readonly kind: "loadBalancer" | "weighted" | "failover" | "missing" | "not shown";
  /** null where it is not in a weighted service. */
  readonly weight: number | null;
  /** Of a failover: how long its first service must have been up again; null for the others. */
  readonly returnAfterMs: number | null;
  /** Of the connections of the router, from 0 to 1. */
  readonly share: number;
  /** Of a load balancer with several servers: how one is chosen for this client, in words; null for the others. */
  readonly chosen: string | null;
  readonly servers: Listed<{
    readonly address: string;
    readonly share: number;
    readonly dial: "plain" | "tls";
    readonly weight: number;
    /** null: as many as come. */
    readonly maxConnections: number | null;
    /** It gets a connection only where no other server can. */
    readonly backup: boolean;
    /** It gets no new connection, and what becomes of those that are open; null: it is not drained. */
    readonly drain: LivePolicy | null;
    /** What a check of it has found; null: none was asked for, or DNS makes several servers of it. */
    readonly check: ServerFinding | null;
    /** What DNS makes of it while Sluice runs; null: it is one server. */
    readonly discovery: string | null;
  }>;
  readonly transport: {
    readonly dialTimeoutMs: number;
    readonly dialBudgetMs: number;
    /** 0: for ever. */
    readonly firstByteTimeoutMs: number;
    readonly keepAliveMs: number;
    readonly terminationDelayMs: number;
    /** The PROXY header that servers get first; null: none. */
    readonly proxyProtocol: ProxyProtocolOut | null;
    /** null where no server is dialled with TLS. */
    readonly verify: string | null;
    readonly clientCertificate: boolean;
    /** Where servers are dialled from, in turn; empty: the system chooses. */
    readonly sourceAddresses: readonly string[];
  } | null;
  /** Of a load balancer: what takes a server out, and what brings it back; null for the others. */
  readonly watching: string | null;
  readonly services: readonly ServiceNode[];
}

/** Entries of a list that are shown. */
export const MAX_SHOWN = 20;
