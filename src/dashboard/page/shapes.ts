// What the API answers, as far as the pages show it; docs/api.md and its OpenAPI description say the rest.

export interface HistorySample {
  readonly at: number;
  readonly open: number;
  readonly ended: number;
  readonly refused: number;
  readonly handshakes: number;
  readonly handshakeFailures: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface Figure {
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface LogEvent {
  readonly id: number;
  readonly at: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ServerLook {
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
  readonly drain: { readonly left: number } | null;
}

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

export interface Router {
  readonly name: string;
  readonly status: "enabled" | "warning" | "disabled";
  readonly rule?: string;
  readonly service?: string;
  readonly middlewares?: readonly string[];
  readonly using: readonly string[];
  readonly priority?: number;
  readonly tls?: { readonly passthrough: boolean; readonly options?: string };
  readonly error?: readonly string[];
}

export interface Service {
  readonly name: string;
  readonly type?: string;
  readonly loadBalancer?: { readonly strategy?: string };
  readonly weighted?: { readonly services?: readonly { readonly name: string; readonly weight: number }[] };
  readonly failover?: { readonly service: string; readonly fallback: string };
}

export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly place: { readonly file: string; readonly line: number; readonly column: number };
  readonly about: { readonly kind: string; readonly name: string } | null;
}

export interface Certificate {
  readonly names: readonly string[];
  readonly commonName: string;
  readonly issuer?: string;
  readonly keyType?: string;
  readonly serial: string;
  readonly source: string | null;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly daysLeft: number;
  readonly status: "enabled" | "warning" | "expired";
  readonly resolver: string | null;
  readonly nextRenewal: string | null;
  readonly failures: number;
  readonly lastError: string | null;
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

export interface Load {
  readonly at: string;
  readonly durationMs: number;
  readonly result: "loaded" | "refused";
  readonly version: number | null;
  readonly refused: readonly string[];
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: readonly Diagnostic[];
  readonly changed: readonly { readonly kind: string; readonly name: string; readonly change: string }[];
  readonly changes: number;
}
