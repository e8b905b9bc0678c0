// What a load of the configuration knows of certificate resolvers: what each can prove, and what they have obtained so far.

import type { AcmeConfig } from "../config/acme.ts";
import type { StaticConfig } from "../config/static.ts";
import type { StoredCertificate } from "./storage.ts";

export interface AcmeInput {
  /** By name. */
  readonly resolvers: ReadonlyMap<string, ResolverFacts>;
  readonly stored: readonly StoredCertificate[];
}

export interface ResolverFacts {
  /** It can prove a wildcard, which only DNS can. */
  readonly wildcards: boolean;
  /** An authority connects to an entry point, whatever its routers are. */
  readonly tlsChallenge: boolean;
}

export const NO_ACME: AcmeInput = { resolvers: new Map(), stored: [] };

/** The resolvers of the static configuration that are ACME's. */
export function acmeOf(config: StaticConfig): [string, AcmeConfig][] {
  return Object.entries(config.certificatesResolvers).flatMap(([name, { acme }]) =>
    acme === undefined ? [] : [[name, acme] as [string, AcmeConfig]],
  );
}

export function resolverFacts(config: StaticConfig): AcmeInput["resolvers"] {
  return new Map(
    acmeOf(config).map(([name, { dnsChallenge, tlsChallenge }]) => [
      name,
      { wildcards: dnsChallenge !== undefined, tlsChallenge: tlsChallenge !== undefined },
    ]),
  );
}
