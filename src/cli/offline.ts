// Loading the configuration as a start would, for commands that start, write and dial nothing.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { resolverFacts } from "../acme/facts.ts";
import { inspectStorages } from "../acme/inspect.ts";
import type { StoredCertificate } from "../acme/storage.ts";
import { developmentAuthority, developmentServer } from "../authority/development.ts";
import { developmentFiles } from "../authority/development-files.ts";
import { chainWarnings } from "../certs/chain.ts";
import { CertificateFiles } from "../certs/files.ts";
import type { CompileInput } from "../compile/compile.ts";
import { type LoadResult, load } from "../compile/load.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { providersOf } from "../providers/providers.ts";
import { suggestion } from "../text/spelling.ts";

/**
 * One load, with what resolvers have obtained so far. `selfSigned` is what would serve where no certificate does; `only` is the one
 * provider that is read, of which `providerNamed` knows.
 */
export async function loadOffline(
  config: StaticConfig,
  diagnostics: Diagnostics,
  files = new CertificateFiles(),
  selfSigned: CompileInput["selfSigned"] = null,
  only?: string,
): Promise<LoadResult & { readonly stored: readonly StoredCertificate[] }> {
  const acme = { resolvers: resolverFacts(config), stored: inspectStorages(config, diagnostics) };
  const providers = providersOf(config, { once: true }).filter(({ name }) => only === undefined || name === only);
  await Promise.all(providers.map((each) => each.start(() => {})));
  const current = new Map(providers.map((each) => [each.name, each.current()]));
  await Promise.all(providers.map((each) => each.close()));
  const loaded = load({ config, providers: current, selfSigned, acme, certificates: () => files }, diagnostics);
  return { ...loaded, stored: acme.stored };
}

/** Whether a certificate is the development certificate, and not there yet. */
export function isMadeAtStart({ developmentCertificate }: StaticConfig, certFile: string): boolean {
  if (developmentCertificate === undefined) return false;
  const { cert } = developmentFiles(developmentCertificate.directory);
  return resolve(certFile) === resolve(cert) && !existsSync(cert);
}

/** The files as they will be when Sluice runs: it makes a development certificate at its first start. */
export async function filesAfterStart(config: StaticConfig): Promise<CertificateFiles> {
  const wanted = config.developmentCertificate;
  const filesWith = (texts: [string, string][] = []) =>
    new CertificateFiles(undefined, new Map(texts.map(([path, text]) => [resolve(path), text])), chainWarnings);
  if (wanted === undefined) return filesWith();
  const files = developmentFiles(wanted.directory);
  if (existsSync(files.cert) && existsSync(files.key)) return filesWith();
  const authority = await developmentAuthority("Sluice check");
  const { cert, key } = await developmentServer(authority, wanted.names);
  return filesWith([
    [files.caCert, authority.cert],
    [files.cert, cert],
    [files.key, key],
  ]);
}

/** The name of the provider that `--provider` names, in whatever case. @returns a line for the operator when there is no such one. */
export function providerNamed(config: StaticConfig, typed: string): { readonly name: string } | string {
  const names = providersOf(config, { once: true }).map(({ name }) => name);
  const name = typed.toLowerCase();
  if (names.includes(name)) return { name };
  const there = names.length === 0 ? "there is none" : `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
  return `--provider: "${typed}" is not configured${suggestion(name, names)}: ${there}`;
}
