// What is asked of the API, as far as it is shown: see /api/sluice/openapi.json.

export interface Connection {
  readonly id: string;
  readonly since: string;
  readonly entryPoint: string;
  readonly step: string;
  readonly address: string;
  readonly port: number;
  readonly balancer: string;
  readonly sni: string;
  readonly router: string;
  readonly service: string;
  readonly server: string;
  readonly certificate: string;
  readonly clientId: string | null;
  readonly username: string | null;
  readonly mqttVersion: string | null;
  readonly keepAlive: number | null;
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  readonly alpn: string;
  readonly resumed: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly rateIn: number | null;
  readonly rateOut: number | null;
  readonly idle: number | null;
}

export interface ConnectionPage {
  readonly connections: readonly Connection[];
  readonly matched: number;
  readonly open: number;
}

export interface Router {
  readonly name: string;
  readonly status: string;
  readonly rule?: string;
  readonly service?: string;
  readonly priority?: number;
  readonly using: readonly string[];
  readonly middlewares?: readonly string[];
  readonly error?: readonly string[];
}

export interface Server {
  readonly service: string;
  readonly address: string;
  readonly health: "up" | "down" | "unknown";
  readonly by: string | null;
  readonly reason: string;
  readonly checked: boolean;
  readonly latencyMs: number | null;
  readonly weight: number;
  readonly maxConnections: number | null;
  readonly backup: boolean;
  readonly open: number;
  readonly connections: number;
  readonly errors: number;
  readonly drain: { readonly policy: Readonly<Record<string, unknown>>; readonly left: number } | null;
}

export interface Refusal {
  readonly at: string;
  readonly reason: string;
  readonly cause: string;
  readonly entryPoint: string;
  readonly address: string;
  readonly sni: string;
  readonly certificate: string;
  readonly clientId: string | null;
  readonly username: string | null;
  readonly router: string;
}

export interface Event {
  readonly id: number;
  readonly at: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly place: { readonly file: string; readonly line: number; readonly column: number };
}

export interface Certificate {
  readonly names: readonly string[];
  readonly daysLeft: number;
  readonly status: string;
  readonly resolver: string | null;
  readonly lastError: string | null;
}

export interface Provider {
  readonly name: string;
  readonly state: string;
}

export interface Ban {
  readonly entryPoint: string;
  readonly network: string;
}

export interface Figure {
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Sums at one moment, in milliseconds since the epoch. All but `open` only grow. */
export interface Sample {
  readonly at: number;
  readonly open: number;
  readonly ended: number;
  readonly refused: number;
  readonly handshakes: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
