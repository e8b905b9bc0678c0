// Bans in the configuration: whose failures count, and for how long who has failed too often is refused.

import { z } from "zod";
import { isLostIpv4, LOST_IPV4, parseNetwork } from "../ip/address.ts";
import { duration, field, section } from "./field.ts";
import type { Say } from "./subject.ts";

/** Ends of connections that can count as failures: those that are the client's own doing. */
export const BAN_REASONS = [
  "proxy-header",
  "proxy-header-missing",
  "hello-timeout",
  "hello-limit",
  "sslv2",
  "plain-mqtt",
  "http",
  "not-tls",
  "hello-too-large",
  "bad-hello",
  "no-route",
  "unknown-sni",
  "address-not-allowed",
  "address-denied",
  "address-full",
  "address-too-fast",
  "address-too-many-handshakes",
  "too-many-connections",
  "too-many-connects",
  "handshake-timeout",
  "handshake-failed",
  "client-certificate-missing",
  "client-certificate-untrusted",
  "client-certificate-expired",
  "client-certificate-not-yet-valid",
  "client-certificate-wrong-purpose",
  "client-certificate-bad-signature",
  "client-certificate-invalid",
  "client-certificate-not-allowed",
  "client-certificate-revoked",
  "connect-timeout",
  "silence-timeout",
  "not-mqtt",
  "connect-malformed",
  "connect-protocol-error",
  "connect-version",
  "connect-too-large",
  "connect-not-allowed",
  "client-id-not-allowed",
  "bad-credentials",
  "no-credentials",
  "identity-missing",
  "identity-unusable",
  "identity-mismatch",
] as const;

export type BanReason = (typeof BAN_REASONS)[number];

/** No slow line, no clock that is wrong and no mistake of an operator's is among them. */
const DEFAULT_REASONS: readonly BanReason[] = [
  "proxy-header",
  "hello-limit",
  "sslv2",
  "http",
  "not-tls",
  "hello-too-large",
  "bad-hello",
  "handshake-failed",
  "client-certificate-missing",
  "client-certificate-untrusted",
  "client-certificate-wrong-purpose",
  "client-certificate-bad-signature",
  "client-certificate-invalid",
  "client-certificate-revoked",
  "not-mqtt",
  "connect-malformed",
  "connect-protocol-error",
  "bad-credentials",
];

const whole = (least: number, most: number) => z.number().int().min(least).max(most);

export const ban = section({
  failures: field("So many failures within `window` ban an address.", whole(1, 100_000).default(10), {
    unit: "failures",
    example: 5,
  }),
  window: field(
    "Failures that are older do not count any more. At least `100ms`.",
    duration(100, "must be at least 100ms").default(60_000),
    { example: "10m" },
  ),
  time: field(
    "How long the first ban lasts. Each further one lasts twice as long as the one before.",
    duration(100, "must be at least 100ms").default(60_000),
    { example: "10m" },
  ),
  maxTime: field(
    "The longest ban. Not below `time`.",
    duration(100, "must be at least 100ms").default(24 * 3_600_000),
    {
      example: "1h",
    },
  ),
  reasons: field(
    "How a connection has to [end](operations.md#how-a-connection-ends) to be a failure. `handshake-failed` counts where Sluice could not go on with what the client had sent, and not where the client left or sent an alert.",
    z
      .array(z.enum(BAN_REASONS))
      .min(1, "must name at least one reason")
      .default([...DEFAULT_REASONS]),
    {
      otherwise: "what no well-made client does: [the list](protection.md#what-counts-as-a-failure)",
      example: ["bad-credentials"],
      nothingIsWrong: true,
    },
  ),
  ipv4Prefix: field("IPv4 addresses that agree in so many bits are one.", whole(8, 32).default(32), {
    unit: "bits",
    example: 24,
  }),
  ipv6Prefix: field(
    "IPv6 addresses that agree in so many bits are one. A customer has 64 bits for himself, or more.",
    whole(16, 128).default(64),
    { unit: "bits", example: 56 },
  ),
  trustedIPs: field(
    "Addresses and networks in CIDR form that are never banned, and whose failures do not count.",
    z.array(z.string().min(1)).default([]),
    { kind: "network", otherwise: "none", example: ["10.0.0.0/8"], nothingIsWrong: true },
  ),
  storage: field(
    "A file for the bans, which a restart then takes up. It has mode 0600 and is replaced as a whole. Several entry points may share one.",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "a restart lifts all bans", example: "/var/lib/sluice/bans.json", nothingIsWrong: true },
  ),
});

export type BanConfig = z.output<typeof ban>;

interface Point {
  readonly name: string;
  readonly ban: BanConfig | null;
  readonly admin: boolean;
  readonly proxyProtocol: { readonly insecure: boolean } | null;
}

/** What is wrong with the bans of entry points. */
export function checkBans(points: Iterable<Point>, problem: Say, warn: Say): void {
  for (const { name, ban: config, admin, proxyProtocol } of points) {
    if (config === null) continue;
    const path = ["entryPoints", name, "ban"];
    const written = path.join(".");
    if (admin) {
      warn("field-ignored", path, `${written} is ignored: the entry point serves HTTP`);
      continue;
    }
    if (config.maxTime < config.time)
      problem("field-value", [...path, "maxTime"], `${written}.maxTime is below ${written}.time`);
    if (proxyProtocol?.insecure)
      warn(
        "proxy-header-open",
        path,
        `${written} bans whom PROXY headers name, and proxyProtocol.insecure believes everybody's: anyone can have anybody banned`,
      );
    for (const [index, network] of config.trustedIPs.entries()) {
      const shown = `${written}.trustedIPs has ${JSON.stringify(network.slice(0, 60))}`;
      if (parseNetwork(network) === null)
        problem(
          "field-value",
          [...path, "trustedIPs", index],
          `${shown}, which is neither an IP address nor a network such as 10.0.0.0/8`,
        );
      else if (isLostIpv4(network))
        problem("field-value", [...path, "trustedIPs", index], `${shown}, which is ${LOST_IPV4}`);
    }
  }
}
