// TLS options of the configuration as rows, and the revocation lists that they use.

import type { RevocationList } from "../certs/crl.ts";
import type { CertificateFiles } from "../certs/files.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import { bareName, DEFAULT_OPTIONS as DEFAULT_NAME } from "../config/names.ts";
import type { Row } from "../protocol/messages.ts";
import { didYouMean } from "../text/spelling.ts";
import { compileOptions } from "../tls/compile-options.ts";
import { DEFAULT_OPTIONS, verifies } from "../tls/options.ts";
import type { Merged } from "./merge.ts";

/** The revocation lists that TLS options use. Times in milliseconds since the epoch. */
export interface RevocationsInForce {
  readonly options: string;
  readonly thisUpdate: number;
  /** null: none of the lists says when it ends. */
  readonly nextUpdate: number | null;
  /** When each of them ends that says so. */
  readonly ends: readonly number[];
}

type OptionsRow = Row & { readonly kind: "options" };

export interface CompiledOptions {
  readonly rows: readonly OptionsRow[];
  /** Every name, and whether it is sound. */
  readonly sound: ReadonlyMap<string, boolean>;
  /** Whether a handshake by those of the first name shows what one by the others would; false where one of them is not sound. */
  isSameHandshake(a: string, b: string): boolean;
  /** Those that refuse a client for whose name there is no certificate. */
  readonly strict: ReadonlySet<string>;
  /** Those that verify clients' certificates. */
  readonly verifying: ReadonlySet<string>;
  readonly revocations: readonly RevocationsInForce[];
}

export function compileAllOptions(merged: Merged, files: CertificateFiles, diagnostics: Diagnostics): CompiledOptions {
  const rows: OptionsRow[] = [];
  const sound = new Map<string, boolean>();
  const strict = new Set<string>();
  const verifying = new Set<string>();
  const revocations: RevocationsInForce[] = [];
  for (const [name, item] of merged.options) {
    files.owner = item.provider;
    const about: Subject = { kind: "tlsOptions", name };
    if (
      name !== DEFAULT_NAME &&
      !merged.options.has(DEFAULT_NAME) &&
      didYouMean(bareName(name), [DEFAULT_NAME]) !== null
    )
      diagnostics.warn(
        "options-misspelled",
        item.at(),
        `the TLS option "${bareName(name)}": did you mean "default"? Routers that name no TLS options do not have these`,
        about,
      );
    const { options, problems } = compileOptions(item.value, files);
    for (const problem of problems) {
      const place = item.at(...problem.path);
      const message = `the TLS option "${bareName(name)}": ${problem.message}`;
      if (problem.severity === "warning") diagnostics.warn(problem.code, place, message, about);
      else diagnostics.error(problem.code, place, message, about);
    }
    if (options?.revoked && options.revoked.length > 0) revocations.push(inForce(name, options.revoked));
    const isSound = options !== null && !item.off;
    sound.set(name, isSound);
    if (isSound) rows.push({ kind: "options", name, value: options });
    if (options?.sniStrict) strict.add(name);
    if (options !== null && verifies(options.clientAuth)) verifying.add(name);
  }
  if (!sound.has(DEFAULT_NAME)) {
    sound.set(DEFAULT_NAME, true);
    rows.push({ kind: "options", name: DEFAULT_NAME, value: DEFAULT_OPTIONS });
  }
  const keys = new Map(rows.map(({ name, value }) => [name, value.handshakeKey]));
  const isSame = (a: string, b: string): boolean => keys.has(a) && keys.get(a) === keys.get(b);
  return { rows, sound, isSameHandshake: (a, b) => a === b || isSame(a, b), strict, verifying, revocations };
}

/** The oldest of the lists, and the one that ends first, are the ones to watch. */
function inForce(options: string, lists: readonly RevocationList[]): RevocationsInForce {
  const ends = lists.map((list) => list.nextUpdate).filter((end) => end !== null);
  return {
    options,
    thisUpdate: Math.min(...lists.map((list) => list.thisUpdate)),
    nextUpdate: ends.length === 0 ? null : Math.min(...ends),
    ends,
  };
}
