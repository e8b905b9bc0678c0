// The access log's part of the static configuration.

import { z } from "zod";
import { suggestion } from "../text/spelling.ts";

import { duration, field, section, unsupported } from "./field.ts";
import type { Say } from "./subject.ts";

const LATER = "is not built into Sluice yet and is ignored";

/** Every way a connection can end that has a line of its own; a test holds it to the reasons that there are. */
export const ACCESS_REASONS = [
  "client-closed",
  "server-closed",
  "client-reset",
  "server-reset",
  "held-limit",
  "termination-timeout",
  "keep-alive-timeout",
  "silence-timeout",
  "client-certificate-revoked",
  "drained",
  "removed",
  "taken-over",
  "closed-by-hand",
  "shutdown",
  "client-gone",
  "gave-way",
  "entry-point-full",
  "address-full",
  "address-too-fast",
  "too-many-handshakes",
  "address-too-many-handshakes",
  "proxy-header-missing",
  "proxy-header-bad",
  "proxy-header-timeout",
  "hello-timeout",
  "sslv2",
  "plain-mqtt",
  "http",
  "proxy-header",
  "not-tls",
  "hello-too-large",
  "bad-hello",
  "hello-limit",
  "no-route",
  "unknown-sni",
  "no-certificate",
  "router-off",
  "rules-changed",
  "other-tls",
  "address-not-allowed",
  "address-denied",
  "too-many-connections",
  "too-many-connects",
  "bad-credentials",
  "no-credentials",
  "auth-busy",
  "acme-challenge",
  "handshake-timeout",
  "handshake-failed",
  "client-certificate-missing",
  "client-certificate-untrusted",
  "client-certificate-expired",
  "client-certificate-not-yet-valid",
  "client-certificate-wrong-purpose",
  "client-certificate-bad-signature",
  "client-certificate-invalid",
  "client-certificate-unchecked",
  "client-certificate-not-allowed",
  "common-name-unusable",
  "common-name-too-long",
  "connect-timeout",
  "not-mqtt",
  "connect-malformed",
  "connect-protocol-error",
  "connect-version",
  "connect-too-large",
  "connect-not-allowed",
  "client-id-not-allowed",
  "identity-missing",
  "identity-unusable",
  "identity-mismatch",
  "no-server",
  "servers-full",
  "dial-failed",
  "unanswered",
  "service-down",
  "limit",
  "descriptors",
  "banned",
] as const;

export const accessLog = section({
  filePath: field(
    "A file to append to, instead of standard output. It is opened again on SIGUSR1: see [Log files](operations.md#log-files).",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "standard output", example: "/var/log/sluice/access.log" },
  ),
  format: unsupported("warn", "follows log.format here"),
  filters: field(
    "Which connections get a line: as in Traefik, one that any of the filters keeps. Metrics count them all.",
    section({
      reasons: field(
        "Keeps connections that [ended](operations.md#how-a-connection-ends) so. With `!` before a reason: all but those.",
        z.array(z.string().min(1)).default([]),
        { otherwise: "none is kept for its reason", example: ["!client-gone"] },
      ),
      minDuration: field(
        "Keeps connections that were open at least this long.",
        duration(0, "must not be negative").optional(),
        { otherwise: "none is kept for its duration", example: "1s" },
      ),
      statusCodes: unsupported("warn", "is for HTTP: `reasons` says how a connection ended"),
      retryAttempts: unsupported("warn", "is for HTTP"),
    }).optional(),
    { otherwise: "every connection has its line" },
  ),
  fields: unsupported("warn", LATER),
  bufferingSize: unsupported("warn", "is fixed here: lines wait 100 ms at most"),
  addInternals: unsupported("warn", LATER),
  otlp: unsupported("warn", LATER),
});

/** Reasons that there are not. */
export function checkAccessLog(config: z.output<typeof accessLog> | undefined, problem: Say): void {
  for (const [index, written] of (config?.filters?.reasons ?? []).entries()) {
    const reason = written.replace(/^!/, "");
    if ((ACCESS_REASONS as readonly string[]).includes(reason)) continue;
    const message = `accessLog.filters.reasons has "${reason}", which is no reason${suggestion(reason, ACCESS_REASONS)}`;
    problem("field-value", ["accessLog", "filters", "reasons", index], message);
  }
}
