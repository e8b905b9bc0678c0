// sluice check: every problem of the static and the dynamic configuration, without starting or writing anything.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { covers } from "../certs/acme/manager.ts";
import { chainWarnings } from "../certs/chain.ts";
import { CertificateFiles } from "../certs/files.ts";
import type { StaticConfig } from "../config/static.ts";
import { inspectStorages, resolverFacts } from "../control/acme.ts";
import { load } from "../control/load.ts";
import { FileProvider } from "../providers/file.ts";
import { printDiagnostics, readStatic } from "./static-file.ts";

/** @returns the exit code: 1 when there is an error, 0 when there are at most warnings. */
export async function check(configFile: string | undefined): Promise<number> {
  const { config, diagnostics } = readStatic(configFile);
  const orders: string[] = [];
  if (config !== null) {
    const { file } = config.providers;
    if (file === undefined) diagnostics.warn(config.at(), "providers.file is not configured: there are no routers");
    else {
      const acme = { resolvers: resolverFacts(config), stored: inspectStorages(config, diagnostics) };
      const files = await filesAfterStart(config);
      const { compiled } = load(config, new FileProvider(file), null, diagnostics, files, acme);
      for (const { resolver, names, router } of compiled?.orders ?? [])
        if (!acme.stored.some((each) => covers(each, names)))
          orders.push(
            `The resolver "${resolver}" would order a certificate for ${names.join(", ")} (router "${router}").`,
          );
    }
  }
  printDiagnostics(diagnostics);
  for (const order of orders) console.log(order);
  const { errors, warnings } = diagnostics;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  console.log(
    errors + warnings === 0
      ? "The configuration is sound."
      : `${count(errors, "error")}, ${count(warnings, "warning")}`,
  );
  return errors > 0 ? 1 : 0;
}

/** The files as they will be when Sluice runs: it makes a development certificate at its first start. */
export async function filesAfterStart(config: StaticConfig): Promise<CertificateFiles> {
  const wanted = config.developmentCertificate;
  const filesWith = (texts: [string, string][] = []) =>
    new CertificateFiles(undefined, new Map(texts.map(([path, text]) => [resolve(path), text])), chainWarnings);
  if (wanted === undefined) return filesWith();
  const { createAuthority, developmentFiles, issueServer } = await import("../certs/authority.ts");
  const files = developmentFiles(wanted.directory);
  if (existsSync(files.cert) && existsSync(files.key)) return filesWith();
  const authority = await createAuthority("Sluice check");
  const { cert, key } = await issueServer(authority, wanted.names);
  return filesWith([
    [files.caCert, authority.cert],
    [files.cert, cert],
    [files.key, key],
  ]);
}
