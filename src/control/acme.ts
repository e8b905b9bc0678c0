// The master's side of ACME: resolvers as the static configuration has them, and where their challenges are answered.

import { rootCertificates } from "node:tls";
import { dnsHook } from "../acme/dns-hook.ts";
import { acmeOf } from "../acme/facts.ts";
import { createChallengeCertificate } from "../acme/keys.ts";
import { AcmeManager, type ManagerEvents } from "../acme/manager.ts";
import type { Responder } from "../acme/obtain.ts";
import type { Resolver } from "../acme/resolver.ts";
import { CertificateFiles } from "../certs/files.ts";
import type { AcmeConfig } from "../config/acme.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Logger } from "../observe/logger.ts";
import type { Row } from "../protocol/messages.ts";
import { VERSION } from "../version.ts";
import { type HttpChallenges, PATIENCE_MS, pause } from "./http-challenges.ts";

/** What a challenge needs of the rest of Sluice. */
export interface ChallengeHost {
  /** Has `row` in force in every worker when it resolves. */
  publish(row: Row): Promise<void>;
  withdraw(row: Row): void;
}

function tlsResponder(host: ChallengeHost, delayMs: number): Responder {
  return {
    type: "tls-alpn-01",
    patienceMs: PATIENCE_MS,
    present: async (name, _, keyAuthorization) => {
      const row = { kind: "challenge", name, value: await createChallengeCertificate(name, keyAuthorization) } as const;
      await host.publish(row);
      await pause(delayMs);
      return async () => host.withdraw(row);
    },
  };
}

/** @throws Error with the line to print, when an authority's own certificates cannot be read. */
export function createManager(
  config: StaticConfig,
  host: ChallengeHost,
  http: HttpChallenges,
  logger: Logger,
  events: Pick<ManagerEvents, "onObtained" | "onResult">,
): AcmeManager {
  const resolvers = acmeOf(config).map(([name, acme]) => resolverOf(name, acme, host, http));
  return new AcmeManager(resolvers, { ...events, log: (level, message, fields) => logger[level](fields, message) });
}

function resolverOf(name: string, acme: AcmeConfig, host: ChallengeHost, http: HttpChallenges): Resolver {
  const { tlsChallenge, httpChallenge, dnsChallenge, eab } = acme;
  const responders: Responder[] = [];
  if (tlsChallenge !== undefined) responders.push(tlsResponder(host, tlsChallenge.delay));
  if (httpChallenge !== undefined) responders.push(http.responder(httpChallenge.delay));
  if (dnsChallenge !== undefined)
    responders.push(dnsHook(dnsChallenge.exec, dnsChallenge.propagation.delayBeforeChecks));
  return {
    name,
    endpoint: {
      directory: acme.caServer,
      ca: trustOf(name, acme),
      serverName: acme.caServerName ?? null,
      timeoutMs: acme.clientTimeout,
      userAgent: `sluice/${VERSION}`,
    },
    email: acme.email,
    storage: acme.storage,
    keyType: acme.keyType ?? null,
    profile: acme.profile ?? null,
    preferredChain: acme.preferredChain ?? null,
    externalAccount: eab === undefined ? null : { kid: eab.kid, hmac: Buffer.from(eab.hmacEncoded, "base64url") },
    responders,
  };
}

/** caCertificates alone, or beside the public authorities with caSystemCertPool; null is the public ones. */
function trustOf(name: string, acme: AcmeConfig): string | null {
  if (acme.caCertificates.length === 0) return null;
  const files = new CertificateFiles();
  const own = acme.caCertificates.map((value) => {
    const outcome = files.authorities(value);
    if (outcome.kind === "error")
      throw new Error(`certificatesResolvers.${name}.acme.caCertificates: ${outcome.message}`);
    return outcome.value.pem;
  });
  return [...own, ...(acme.caSystemCertPool ? rootCertificates : [])].join("\n");
}
