// A router on its way from the configuration to a row, and what routers are compiled by.

import type { ResolverFacts } from "../acme/facts.ts";
import type { Code } from "../config/codes.ts";
import type { Place, Subject } from "../config/diagnostics.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { RouterConfig } from "../config/router.ts";
import type { Path } from "../config/source.ts";
import type { TlsOptionsConfig } from "../config/tls-options.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import type { RouterAction } from "../protocol/messages.ts";
import type { Rule } from "../rules/ast.ts";
import type { Item } from "./merge.ts";
import type { ServiceDraft } from "./service-graph.ts";

export interface RoutersInput {
  readonly routers: ReadonlyMap<string, Item<RouterConfig>>;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  readonly services: ReadonlyMap<string, ServiceDraft>;
  /** TLS options by name, and whether each is sound. */
  readonly options: ReadonlyMap<string, boolean>;
  /** Whether a handshake by those of the first name shows what one by the others would. */
  isSameHandshake(a: string, b: string): boolean;
  /** Those of them that refuse a client for whose name there is no certificate. */
  readonly strict: ReadonlySet<string>;
  /** Those of them that verify clients' certificates. */
  readonly verifying: ReadonlySet<string>;
  /** By name; null is one that is off. */
  readonly middlewares: ReadonlyMap<string, MiddlewareRow | null>;
  readonly resolvers: ReadonlyMap<string, ResolverFacts>;
  /** Where a provider stands in the order that decides between equal priorities, from 0. */
  rankOf(provider: string): number;
  /** The routers in force, by their full names, each with its entry points. */
  readonly former: ReadonlyMap<string, readonly string[]>;
  /** The TLS options called `default` that are in force, and not in this configuration any more. */
  readonly lostDefault: Item<TlsOptionsConfig> | null;
  /** Where a part of the static file stands; null when there is nothing that could hold routers. */
  readonly staticAt: ((...path: Path) => Place) | null;
}

/** A router whose own configuration is read: what stands in the others may still turn it off. */
export interface RouterDraft {
  readonly fullName: string;
  readonly item: Item<RouterConfig>;
  readonly text: string;
  readonly rule: Rule;
  readonly names: readonly string[];
  readonly entryPoints: readonly string[];
  readonly service: string | null;
  readonly action: RouterAction;
  readonly middlewares: readonly string[];
  readonly lacksTls: boolean;
  off: boolean;
}

/** Says what is wrong, and turns the router off. `because`: what is broken itself. */
export type Fail = (
  code: Code,
  place: Place | (() => Place),
  message: string | (() => string),
  because?: Subject,
) => void;
