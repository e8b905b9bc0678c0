// What the admission of an entry point says, with its defaults worked out: see docs/protection.md for how they were chosen.

/** Handshakes of one address per second, unless it is said otherwise. */
export const DEFAULT_RATE = 200;

/** As the schema gives it. */
export interface AdmissionValue {
  readonly maxConnections?: number | undefined;
  readonly perAddress: {
    readonly connections?: number | undefined;
    readonly rate: number;
    readonly burst?: number | undefined;
    readonly silent?: number | undefined;
  };
  readonly handshakes: {
    readonly concurrent?: number | undefined;
    readonly rate: number;
    readonly burst?: number | undefined;
    readonly perAddress: {
      readonly concurrent?: number | undefined;
      readonly rate: number;
      readonly burst?: number | undefined;
    };
  };
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly maxWait: number;
  readonly trustedIPs: readonly string[];
}

/** What an entry point asks of who comes; null: nothing is limited. Rates are per second. */
export interface AdmissionConfig {
  readonly maxConnections: number | null;
  readonly connections: number | null;
  readonly rate: RateConfig | null;
  readonly silent: number | null;
  readonly handshakes: {
    readonly concurrent: number | null;
    readonly rate: RateConfig | null;
    readonly concurrentOfAddress: number | null;
    readonly rateOfAddress: RateConfig | null;
  };
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly maxWaitMs: number;
  readonly trustedIPs: readonly string[];
}

export interface RateConfig {
  readonly perSecond: number;
  readonly burst: number;
}

export function toAdmission(value: AdmissionValue): AdmissionConfig {
  const { perAddress, handshakes } = value;
  return {
    maxConnections: value.maxConnections ?? null,
    connections: perAddress.connections ?? null,
    rate: rateOf(perAddress.rate, perAddress.burst, 1),
    silent: perAddress.silent ?? null,
    handshakes: {
      concurrent: handshakes.concurrent ?? null,
      rate: rateOf(handshakes.rate, handshakes.burst, 0.1),
      concurrentOfAddress: handshakes.perAddress.concurrent ?? halfOf(handshakes.concurrent),
      rateOfAddress: rateOf(handshakes.perAddress.rate, handshakes.perAddress.burst, 5),
    },
    ipv4Prefix: value.ipv4Prefix,
    ipv6Prefix: value.ipv6Prefix,
    maxWaitMs: value.maxWait,
    trustedIPs: value.trustedIPs,
  };
}

function rateOf(perSecond: number, burst: number | undefined, seconds: number): RateConfig | null {
  if (perSecond === 0) return null;
  return { perSecond, burst: burst ?? Math.max(1, Math.round(perSecond * seconds)) };
}

/** Where handshakes under way are limited, one address that finishes none of its own leaves room for those of others. */
function halfOf(concurrent: number | undefined): number | null {
  return concurrent === undefined ? null : Math.ceil(concurrent / 2);
}
