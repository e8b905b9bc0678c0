// One load of the dynamic configuration: read, merge, compile. Used by start, reload and `check` alike.

import { CertificateFiles } from "../certs/files.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Provider } from "../providers/provider.ts";
import { type Compiled, type CompileInput, compile, NO_ACME } from "./compile.ts";
import { merge } from "./merge.ts";

export interface LoadResult {
  /** null: the load is refused as a whole, and what served before goes on serving. */
  readonly compiled: Compiled | null;
  /** What the configuration names outside the provider's own: to be watched, and how reading it went. */
  readonly files: CertificateFiles;
  /** false when the configuration could not even be read: then nothing is known of the certificates that it names. */
  readonly looked: boolean;
}

/** Loads everything anew. A file that cannot be used refuses the load; a router that cannot work is only off. */
export function load(
  config: StaticConfig,
  provider: Provider | null,
  selfSigned: CompileInput["selfSigned"],
  diagnostics: Diagnostics,
  files = new CertificateFiles(),
  acme = NO_ACME,
): LoadResult {
  const read = provider === null ? [] : provider.read(diagnostics);
  if (read === null) return { compiled: null, files, looked: false };
  const compiled = compile(
    {
      merged: merge(read, diagnostics),
      files,
      entryPoints: config.entryPoints,
      defaultTransport:
        config.tcpServersTransport === undefined
          ? null
          : { value: config.tcpServersTransport, at: (...path) => config.at("tcpServersTransport", ...path) },
      selfSigned,
      provider: provider?.name ?? "file",
      staticAt: provider === null ? null : (...path) => config.at(...path),
      now: Date.now(),
      acme,
    },
    diagnostics,
  );
  files.finish();
  return { compiled: files.broken ? null : compiled, files, looked: true };
}
