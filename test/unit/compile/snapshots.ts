// A configuration in YAML, compiled as a load does it, for the tests of this folder.

import { type AcmeInput, NO_ACME } from "../../../src/acme/facts.ts";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { type Compiled, compile } from "../../../src/compile/compile.ts";
import { type Merged, merge } from "../../../src/compile/merge.ts";
import { Diagnostics, describeDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { parseStatic } from "../../../src/config/static.ts";
import type { RouterRow, Row } from "../../../src/protocol/messages.ts";
import type { ServiceRow } from "../../../src/upstream/service.ts";

export const NOW = Date.UTC(2026, 0, 15);

const STATIC = "entryPoints: { mqtts: { address: ':8883' }, other: { address: ':8884' } }\nping: {}\n";

/** The files a.yml, b.yml ... merged in this order. */
export function mergeTexts(...texts: string[]): { merged: Merged; problems: string[] } {
  const diagnostics = new Diagnostics();
  const files = texts.map((text, index) => parseDynamic(`${"abc"[index]}.yml`, text, diagnostics));
  if (files.includes(null)) throw new Error(diagnostics.list.map(describeDiagnostic).join("\n"));
  return {
    merged: merge(files as NonNullable<(typeof files)[number]>[], diagnostics),
    problems: diagnostics.list.map(describeDiagnostic),
  };
}

export interface Snapshot {
  readonly compiled: Compiled;
  readonly problems: string[];
  router(name: string): RouterRow | undefined;
  service(name: string): ServiceRow | undefined;
  of<K extends Row["kind"]>(kind: K): (Row & { kind: K })[];
}

export function compileTexts(
  texts: string | readonly string[],
  options: {
    static?: string;
    selfSigned?: { cert: string; key: string };
    now?: number;
    acme?: AcmeInput;
    files?: CertificateFiles;
  } = {},
): Snapshot {
  const { merged, problems } = mergeTexts(...(typeof texts === "string" ? [texts] : texts));
  const diagnostics = new Diagnostics();
  const config = parseStatic("s.yml", options.static ?? STATIC, diagnostics)!;
  const compiled = compile(
    {
      merged,
      files: options.files ?? new CertificateFiles(),
      entryPoints: config.entryPoints,
      defaultTransport:
        config.tcpServersTransport === undefined ? null : { value: config.tcpServersTransport, at: config.at },
      selfSigned: options.selfSigned ?? null,
      acme: options.acme ?? NO_ACME,
      rankOf: (provider) => (provider === "file" ? 0 : 1),
      staticAt: config.at,
      former: new Map(),
      formerDefault: null,
      now: options.now ?? NOW,
    },
    diagnostics,
  );
  const row = (key: string) => compiled.rows.get(key)?.value;
  return {
    compiled,
    problems: [...problems, ...diagnostics.list.map(describeDiagnostic)],
    router: (name) => row(`router/${name}@file`) as RouterRow | undefined,
    service: (name) => row(`service/${name}@file`) as ServiceRow | undefined,
    of: (kind) => [...compiled.rows.values()].filter((each) => each.kind === kind) as never,
  };
}
