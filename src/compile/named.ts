// What a configuration names, sound or not: only what nothing names any more has been removed. The rest may be a mistake.

import { qualify } from "../config/names.ts";
import type { Merged } from "./merge.ts";
import type { ServiceDraft } from "./service-graph.ts";

export interface Named {
  readonly routers: { has(name: string): boolean };
  /** Those that are defined, and those that a router or another service refers to. */
  readonly services: { has(name: string): boolean };
  /** Services without those of their servers that have a mistake. */
  readonly partial: { has(name: string): boolean };
}

export function namedIn({ routers, services }: Merged, drafts: ReadonlyMap<string, ServiceDraft>): Named {
  const referred = new Set(services.keys());
  for (const { value, provider } of routers.values())
    if (value.service !== undefined) referred.add(qualify(value.service, provider));
  for (const { value, provider } of services.values()) {
    const { weighted, failover } = value;
    for (const { name } of weighted?.services ?? []) referred.add(qualify(name, provider));
    if (failover !== undefined)
      referred.add(qualify(failover.service, provider)).add(qualify(failover.fallback, provider));
  }
  const partial = new Set<string>();
  for (const [name, { isPartial }] of drafts) if (isPartial) partial.add(name);
  return { routers, services: referred, partial };
}
