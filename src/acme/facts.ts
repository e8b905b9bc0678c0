// What a load of the configuration knows of certificate resolvers: what each can prove, and what they have obtained so far.

import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import type { AcmeConfig } from "../config/acme.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { describeError } from "../system/errors.ts";
import { AcmeStorage, type StoredCertificate } from "./storage.ts";
import { sortOut } from "./whole.ts";

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

/** What the storages hold, for who only looks: what is wrong with them goes to `diagnostics`, and nothing is written. */
export function inspectStorages(config: StaticConfig, diagnostics: Diagnostics): StoredCertificate[] {
  return acmeOf(config).flatMap(([name, acme]) => {
    const place = config.at("certificatesResolvers", name, "acme", "storage");
    const about: Subject = { kind: "resolver", name };
    const read = new AcmeStorage(acme.storage).read(name);
    if (read.kind === "error") {
      diagnostics.error("acme-storage", place, read.message, about);
      return [];
    }
    const directory = dirname(resolve(acme.storage));
    try {
      accessSync(directory, constants.W_OK);
    } catch (error) {
      diagnostics.error(
        "acme-storage",
        place,
        `the storage cannot be written: ${directory}: ${describeError(error)}`,
        about,
      );
    }
    const { whole, problems } = sortOut(acme.storage, read.value.certificates);
    for (const problem of problems) diagnostics.warn("acme-certificate", place, problem, about);
    return whole;
  });
}
