// sluice check: every problem of the static and the dynamic configuration, without starting or writing anything.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { covers } from "../certs/acme/plan.ts";
import { chainWarnings } from "../certs/chain.ts";
import { CertificateFiles } from "../certs/files.ts";
import type { StaticConfig } from "../config/static.ts";
import { inspectStorages, resolverFacts } from "../control/acme.ts";
import { load, providerOf } from "../control/load.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";

/** @returns the exit code: 1 when there is an error, 0 when there are at most warnings. */
export async function check(given: Given, print: boolean): Promise<number> {
  const { config, diagnostics } = readStatic(given);
  const orders: string[] = [];
  if (config !== null) {
    const acme = { resolvers: resolverFacts(config), stored: inspectStorages(config, diagnostics) };
    const files = await filesAfterStart(config);
    const { compiled, merged } = load(config, providerOf(config), null, diagnostics, files, acme);
    for (const { resolver, names, router } of compiled?.orders ?? [])
      if (!acme.stored.some((each) => covers(each, names)))
        orders.push(
          `The resolver "${resolver}" would order a certificate for ${names.join(", ")} (router "${router}").`,
        );
    if (print) {
      const { renderDynamic, renderStatic } = await import("./print.ts");
      console.log(renderStatic(config));
      if (merged !== null) console.log(renderDynamic(merged));
    }
  }
  printDiagnostics(diagnostics);
  // What is printed with the configuration is a comment of it.
  const say = (line: string) => console.log(print ? `# ${line}` : line);
  orders.forEach(say);
  const { errors, warnings } = diagnostics;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  say(
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
