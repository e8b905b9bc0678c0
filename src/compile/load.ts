// One load of the dynamic configuration: what providers offer, merged and compiled. Used by start, reload and `check` alike.

import { resolve } from "node:path";
import { type AcmeInput, NO_ACME } from "../acme/facts.ts";
import { CertificateFiles } from "../certs/files.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { dynamicSchema } from "../config/dynamic.ts";
import { DEFAULT_OPTIONS, INTERNAL } from "../config/names.ts";
import { warnIfStatic } from "../config/other-half.ts";
import { orderOf, ranksOf } from "../config/precedence.ts";
import { PROVIDER_FIELDS } from "../config/providers/fields.ts";
import type { StaticConfig } from "../config/static.ts";
import type { Current, Offer } from "../providers/provider.ts";
import { type Compiled, type CompileInput, compile } from "./compile.ts";
import { type Merged, merge } from "./merge.ts";
import { sidecarFile } from "./sidecar.ts";

export interface LoadInput {
  readonly config: StaticConfig;
  /** What each provider has now, by its name. */
  readonly providers: ReadonlyMap<string, Current>;
  readonly selfSigned: CompileInput["selfSigned"];
  readonly acme?: AcmeInput;
  /** What is in force so far, which this load changes. */
  readonly accepted?: Accepted;
  /** What certificates are read with: new for each try. */
  certificates?(): CertificateFiles;
}

export interface LoadResult {
  /** null: the load is refused as a whole, and what served before goes on serving. */
  readonly compiled: Compiled | null;
  /** What was looked at last, or null when there was nothing to look at. */
  readonly merged: Merged | null;
  /** Providers whose newest offer is not in force: what they offered before is, if they ever did. */
  readonly refused: readonly string[];
  /** What the configuration names outside the provider's own: to be watched, and how reading it went. One for each try. */
  readonly files: readonly CertificateFiles[];
}

/** The offers in force, each the last one of its provider that could be used, and what was said of the configuration then. */
export class Accepted {
  offers: ReadonlyMap<string, Offer> = new Map();
  merged: Merged | null = null;
  routers: Compiled["routers"] = [];
  said: ReadonlySet<string> = new Set();
}

/**
 * Loads everything anew. A router that cannot work is only off. An offer after which it is not known what is whose is refused, and the
 * former one of the same provider stands in for it: others are not held up by it. Without a former one the load is refused.
 */
export function load(input: LoadInput, diagnostics: Diagnostics): LoadResult {
  const { config, accepted = new Accepted() } = input;
  if (!hasRoutes(config))
    diagnostics.warn(
      "routers-missing",
      config.at(),
      "neither a provider nor a sidecar is configured: there are no routers",
    );
  const states = statesOf(input);
  for (const state of states.values()) diagnostics.take(state.diagnostics);
  const refused = new Set<string>();
  const offers = new Map<string, Offer>();
  for (const [name, { offer, fresh, remote }] of states) {
    if (!fresh && remote === undefined) refused.add(name);
    const wanted = fresh ? offer : (accepted.offers.get(name) ?? offer);
    if (wanted !== null) offers.set(name, wanted);
  }
  // The directory may hold the static file itself.
  for (const { source } of [...offers.values()].flat())
    if (resolve(source.name) !== resolve(config.file)) warnIfStatic(dynamicSchema, source, diagnostics);
  // At a start it cannot be told what is missing: errors that follow from it would be guesses.
  if (accepted.offers.size === 0 && refused.size > 0)
    return { compiled: null, merged: null, refused: [...refused], files: [] };

  const first = attempt(input, offers);
  if (first.refused.size === 0) {
    diagnostics.take(first.diagnostics);
    accept(accepted, offers, first);
    return { compiled: first.compiled, merged: first.merged, refused: [...refused], files: [first.files] };
  }
  diagnostics.take(first.diagnostics);
  const names = [...new Set([...refused, ...first.refused])];
  const standIn = new Map(offers);
  for (const name of first.refused) {
    const former = accepted.offers.get(name);
    if (former !== undefined) standIn.set(name, former);
    else if (states.get(name)?.remote !== undefined) standIn.delete(name);
    else return { compiled: null, merged: first.merged, refused: names, files: [first.files] };
  }
  const second = attempt(input, standIn);
  const files = [first.files, second.files];
  // What was said when it came into force is not news.
  const known = new Set([...accepted.said, ...first.diagnostics.list.map(textOf)]);
  diagnostics.take(second.diagnostics, (each) => !known.has(textOf(each)));
  if (second.refused.size > 0) return { compiled: null, merged: first.merged, refused: names, files };
  accept(accepted, standIn, second);
  return { compiled: second.compiled, merged: second.merged, refused: names, files };
}

interface Attempt {
  readonly compiled: Compiled;
  readonly merged: Merged;
  readonly files: CertificateFiles;
  readonly refused: ReadonlySet<string>;
  readonly diagnostics: Diagnostics;
}

function attempt(
  { config, providers, selfSigned, acme = NO_ACME, certificates, accepted }: LoadInput,
  offers: ReadonlyMap<string, Offer>,
) {
  const diagnostics = new Diagnostics();
  const files = certificates?.() ?? new CertificateFiles();
  const { precedence } = config.providers;
  const names = orderOf(precedence, offers.keys());
  const ranks = ranksOf(precedence, names);
  const merged = merge(
    names.flatMap((name) => offers.get(name)!),
    diagnostics,
    accepted?.merged,
  );
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
      rankOf: (name) => ranks.get(name) ?? 0,
      staticAt: hasRoutes(config) ? (...path) => config.at(...path) : null,
      now: Date.now(),
      acme,
      former: new Map(accepted?.routers.map(({ name, entryPoints }) => [name, entryPoints])),
      formerDefault: accepted?.merged?.options.get(DEFAULT_OPTIONS) ?? null,
    },
    diagnostics,
  );
  const broken = [...files.brokenFor].filter((name) => !providers.get(name)?.remote?.isLoose);
  const refused = new Set([...compiled.refused, ...broken]);
  return { compiled, merged, files, refused, diagnostics } satisfies Attempt;
}

/** A load that came through: what the configuration does not name any more is forgotten. */
function accept(
  accepted: Accepted,
  offers: ReadonlyMap<string, Offer>,
  { files, diagnostics, merged, compiled }: Attempt,
): void {
  files.finish();
  accepted.merged = merged;
  accepted.routers = compiled.routers;
  accepted.offers = offers;
  accepted.said = new Set(diagnostics.list.map(textOf));
}

function textOf({ file, line, column, severity, message }: Diagnostics["list"][number]): string {
  return JSON.stringify([file, line, column, severity, message]);
}

/** The providers' states, and that of the static file's `sidecar`, which is one more. */
function statesOf({ config, providers }: LoadInput): Map<string, Current> {
  const states = new Map(providers);
  const sidecar = sidecarFile(config);
  if (sidecar !== null) states.set(INTERNAL, { offer: [sidecar], fresh: true, diagnostics: new Diagnostics() });
  return states;
}

/** Whether there is anything that routers could come from. */
function hasRoutes(config: StaticConfig): boolean {
  return config.sidecar !== undefined || PROVIDER_FIELDS.some((each) => config.providers[each] !== undefined);
}
