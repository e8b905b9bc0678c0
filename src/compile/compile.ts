// A merged configuration as the rows of a snapshot, with everything checked that can be checked before a client comes. One file for
// each kind of row: options.ts, services.ts, middlewares.ts, routers.ts, certificates.ts.

import type { AcmeInput } from "../acme/facts.ts";
import type { Wanted } from "../acme/plan.ts";
import type { CertificateFiles } from "../certs/files.ts";
import type { Diagnostics, Place } from "../config/diagnostics.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import { DEFAULT_OPTIONS } from "../config/names.ts";
import type { Path } from "../config/source.ts";
import type { TlsOptionsConfig } from "../config/tls-options.ts";
import type { TransportConfig } from "../config/transport.ts";
import { type Row, rowKey } from "../protocol/messages.ts";
import type { HealthCheck } from "../upstream/health.ts";
import { type CertificateInUse, compileCertificates } from "./certificates.ts";
import type { Item, Merged } from "./merge.ts";
import { compileMiddlewares } from "./middlewares.ts";
import { type Named, namedIn } from "./named.ts";
import { compileAllOptions, type RevocationsInForce } from "./options.ts";
import { defaultOrders } from "./orders.ts";
import { compileRouters, type RouterInForce } from "./routers.ts";
import { compileServices } from "./services.ts";

export interface Compiled {
  readonly rows: ReadonlyMap<string, Row>;
  readonly certificates: readonly CertificateInUse[];
  readonly routers: readonly RouterInForce[];
  readonly revocations: readonly RevocationsInForce[];
  /** Certificates that resolvers are to obtain and to keep. */
  readonly orders: readonly Wanted[];
  /** How servers are checked, by the name of their service. */
  readonly checks: ReadonlyMap<string, HealthCheck>;
  /** Providers with a mistake after which it is not known which names are whose: then nothing of theirs may be used. */
  readonly refused: ReadonlySet<string>;
  readonly named: Named;
}

export interface CompileInput {
  readonly merged: Merged;
  readonly files: CertificateFiles;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  /** tcpServersTransport of the static file, and where it stands. */
  readonly defaultTransport: { readonly value: TransportConfig; at(...path: Path): Place } | null;
  /** Serves where no configured certificate does; made anew at each start. null when nothing will be served. */
  readonly selfSigned: { readonly cert: string; readonly key: string } | null;
  /** Where a provider stands in the order that decides between equal priorities, from 0. */
  rankOf(provider: string): number;
  /** Where a part of the static file stands; null when there is no provider, of which another message tells. */
  readonly staticAt: ((...path: Path) => Place) | null;
  readonly now: number;
  /** The certificate resolvers, by name, and what they have obtained so far. */
  readonly acme: AcmeInput;
  /** The routers in force, by their full names, each with its entry points. */
  readonly former: ReadonlyMap<string, readonly string[]>;
  /** The TLS options called `default` that are in force; null where the configuration in force has none. */
  readonly formerDefault: Item<TlsOptionsConfig> | null;
}

/** Compiles everything that is sound; what is not is a diagnostic, and what depends on it is off. */
export function compile(input: CompileInput, diagnostics: Diagnostics): Compiled {
  const { merged, files, entryPoints, selfSigned, acme, now } = input;
  const options = compileAllOptions(merged, files, diagnostics);
  const services = compileServices(merged, input.defaultTransport, files, diagnostics);
  const middlewares = compileMiddlewares(merged.middlewares, files, diagnostics);
  const routers = compileRouters(
    {
      routers: merged.routers,
      entryPoints,
      services,
      options: options.sound,
      isSameHandshake: options.isSameHandshake,
      strict: options.strict,
      verifying: options.verifying,
      middlewares: middlewares.rows,
      resolvers: acme.resolvers,
      rankOf: input.rankOf,
      former: input.former,
      lostDefault: merged.options.has(DEFAULT_OPTIONS) ? null : input.formerDefault,
      staticAt: input.staticAt,
    },
    diagnostics,
  );
  const { defaultGenerated } = merged;
  const first = defaultGenerated === null ? [] : defaultOrders(defaultGenerated, acme.resolvers, diagnostics);
  const wanted = { ...routers.wanted, orders: [...first, ...routers.wanted.orders] };
  const certificates = compileCertificates(
    { merged, files, selfSigned, wanted, obtained: acme.stored, now },
    diagnostics,
  );
  const rows = new Map<string, Row>();
  const put = (row: Row): void => void rows.set(rowKey(row), row);
  options.rows.forEach(put);
  for (const [name, { row }] of services) if (row !== null) put({ kind: "service", name, value: row });
  for (const [name, text] of middlewares.parts) put({ kind: "part", name, value: { text } });
  for (const [name, row] of middlewares.rows) if (row !== null) put({ kind: "middleware", name, value: row });
  routers.rows.forEach(put);
  certificates.rows.forEach(put);
  return {
    rows,
    certificates: certificates.inUse,
    routers: routers.inForce,
    revocations: options.revocations,
    orders: certificates.orders,
    checks: new Map([...services].flatMap(([name, { row, check }]) => (row !== null && check ? [[name, check]] : []))),
    refused: new Set([...merged.refused, ...routers.refused]),
    named: namedIn(merged, services),
  };
}
