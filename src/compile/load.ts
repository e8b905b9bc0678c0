// One load of the dynamic configuration: read, merge, compile. Used by start, reload and `check` alike.

import { resolve } from "node:path";
import { CertificateFiles } from "../certs/files.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import { dynamicSchema } from "../config/dynamic.ts";
import { warnIfStatic } from "../config/other-half.ts";
import type { StaticConfig } from "../config/static.ts";
import { FileProvider } from "../providers/file.ts";
import type { Provider } from "../providers/provider.ts";
import { type Compiled, type CompileInput, compile, NO_ACME } from "./compile.ts";
import { type Merged, merge } from "./merge.ts";
import { sidecarFile } from "./sidecar.ts";

export interface LoadResult {
  /** null: the load is refused as a whole, and what served before goes on serving. */
  readonly compiled: Compiled | null;
  /** What was read, or null when it could not be. */
  readonly merged: Merged | null;
  /** What the configuration names outside the provider's own: to be watched, and how reading it went. */
  readonly files: CertificateFiles;
  /** false when the configuration could not even be read: then nothing is known of the certificates that it names. */
  readonly looked: boolean;
}

/** Loads everything anew. A file that cannot be used refuses the load; a router that cannot work is only off. */
export function load(
  config: StaticConfig,
  provider: Provider,
  selfSigned: CompileInput["selfSigned"],
  diagnostics: Diagnostics,
  files = new CertificateFiles(),
  acme = NO_ACME,
): LoadResult {
  if (!hasRoutes(config))
    diagnostics.warn(
      "routers-missing",
      config.at(),
      "neither providers.file nor sidecar is configured: there are no routers",
    );
  const read = provider.read(diagnostics);
  if (read === null) return { compiled: null, merged: null, files, looked: false };
  // The directory may hold the static file itself.
  for (const { source } of read)
    if (resolve(source.name) !== resolve(config.file)) warnIfStatic(dynamicSchema, source, diagnostics);
  // Of two equal names the first wins: what someone wrote goes before what is made for them.
  const sidecar = sidecarFile(config);
  const merged = merge(sidecar === null ? read : [...read, sidecar], diagnostics);
  const compiled = compile(
    {
      merged,
      files,
      entryPoints: config.entryPoints,
      defaultTransport:
        config.tcpServersTransport === undefined
          ? null
          : { value: config.tcpServersTransport, at: (...path) => config.at("tcpServersTransport", ...path) },
      selfSigned,
      provider: provider.name,
      staticAt: hasRoutes(config) ? (...path) => config.at(...path) : null,
      now: Date.now(),
      acme,
    },
    diagnostics,
  );
  files.finish();
  return { compiled: files.broken ? null : compiled, merged, files, looked: true };
}

/** Whether there is anything that routers could come from. */
function hasRoutes(config: StaticConfig): boolean {
  return config.providers.file !== undefined || config.sidecar !== undefined;
}

/** Where the dynamic configuration comes from; also without files of its own it watches the certificates that are named elsewhere. */
export function providerOf(config: StaticConfig): Provider {
  return new FileProvider(config.providers.file ?? { watch: true });
}
