// What is asked of workers about single connections, and what they answer: for the API. All of it is plain data, and the order that
// both sides sort by.

/** A connection that is open, as it is shown. Times in milliseconds since the epoch, texts are "" while they are not known. */
export interface ConnectionLook {
  /** Names it as long as it is open, and nothing else afterwards. */
  readonly id: string;
  readonly since: number;
  readonly entryPoint: string;
  /** Where it is on its way: `relay` is the end of it. */
  readonly step: string;
  readonly address: string;
  readonly port: number;
  /** The balancer whose PROXY header names the address. */
  readonly balancer: string;
  readonly sni: string;
  readonly router: string;
  readonly service: string;
  readonly server: string;
  /** The subject of the client's certificate. */
  readonly certificate: string;
  /** null: no CONNECT was read. */
  readonly clientId: string | null;
  readonly username: string | null;
  readonly mqttVersion: string | null;
  /** Seconds. */
  readonly keepAlive: number | null;
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  readonly alpn: string;
  readonly resumed: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes per second each way, since it was looked at before; null: it was not. */
  readonly rateIn: number | null;
  readonly rateOut: number | null;
  /** For how long its bytes have not changed, by what was seen; null: it is looked at for the first time. */
  readonly idle: number | null;
}

/** By what connections are found: all that is given must hold. Texts are compared whole. */
export interface ConnectionFilter {
  readonly id?: string;
  readonly clientId?: string;
  readonly username?: string;
  /** An address, or a network in CIDR form. */
  readonly address?: string;
  readonly sni?: string;
  readonly certificate?: string;
  readonly entryPoint?: string;
  readonly router?: string;
  readonly service?: string;
  readonly server?: string;
  /** A part of any of its texts, in whatever case. */
  readonly search?: string;
}

export const SORT_COLUMNS = [
  "since",
  "clientId",
  "username",
  "address",
  "sni",
  "certificate",
  "router",
  "service",
  "server",
  "bytesIn",
  "bytesOut",
  "rate",
  "idle",
] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

/** Where a row stands in the order: its value in the column, and when it came. */
export type SortKey = readonly [value: string | number, since: number];

/** Ascending; of two equal values the older connection comes first. */
export function compareKeys([a, aSince]: SortKey, [b, bSince]: SortKey): number {
  return a < b ? -1 : a > b ? 1 : aSince - bSince;
}

export interface ListRequest {
  readonly filter: ConnectionFilter;
  readonly sort: SortColumn;
  readonly descending: boolean;
  readonly limit: number;
  /** The last row that is known already; null: from the beginning. */
  readonly after: SortKey | null;
}

export interface ListAnswer {
  readonly rows: readonly { readonly key: SortKey; readonly row: ConnectionLook }[];
  /** Of all pages. */
  readonly matched: number;
  readonly open: number;
}

export interface CloseAnswer {
  readonly closed: number;
}

/** A client that did not come in. */
export interface RefusalLook {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
  /** More about the reason; "" where there is nothing. */
  readonly cause: string;
  readonly entryPoint: string;
  readonly address: string;
  readonly sni: string;
  readonly certificate: string;
  readonly clientId: string | null;
  readonly username: string | null;
  readonly router: string;
}

/** Whose way is written into the log, step by step. */
export interface Traced {
  readonly by: "clientId" | "address";
  readonly value: string;
}
