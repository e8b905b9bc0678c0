// What services that are made of others come to: cycles, and how many servers there are in all.

import type { Server } from "../upstream/service.ts";
import type { ServiceDraft } from "./compile-services.ts";

/** Servers that one service may have over all it is made of; beyond it is a mistake that would cost memory for every connection. */
export const MAX_TARGETS = 10_000;

/** The services that have more than MAX_TARGETS servers, counted as often as they are reached. Needs services without cycles. */
export function findTooLarge(services: ReadonlyMap<string, ServiceDraft>): Set<string> {
  const sizes = new Map<string, number>();
  const size = (name: string): number => {
    let known = sizes.get(name);
    if (known === undefined) {
      const row = services.get(name)?.row;
      if (row?.kind === "weighted") known = row.services.reduce((sum, child) => sum + size(child.name), 0);
      else known = row?.servers.length ?? 0;
      sizes.set(name, known);
    }
    return known;
  };
  return new Set([...services.keys()].filter((name) => size(name) > MAX_TARGETS));
}

/** The services that contain themselves. */
export function findCycle(services: ReadonlyMap<string, ServiceDraft>): Set<string> {
  const inCycle = new Set<string>();
  const done = new Set<string>();
  const visit = (name: string, path: string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) {
      for (const each of path.slice(start)) inCycle.add(each);
      return;
    }
    const row = services.get(name)?.row;
    if (done.has(name) || row?.kind !== "weighted") return;
    for (const child of row.services) visit(child.name, [...path, name]);
    done.add(name);
  };
  for (const name of services.keys()) visit(name, []);
  return inCycle;
}

/** The servers of a service and of all that it is made of. */
export function serversOf(
  services: ReadonlyMap<string, ServiceDraft>,
  name: string,
  seen = new Set<string>(),
): Server[] {
  if (seen.has(name)) return [];
  seen.add(name);
  const row = services.get(name)?.row;
  if (row?.kind === "weighted") return row.services.flatMap((child) => serversOf(services, child.name, seen));
  return row?.kind === "loadBalancer" ? [...row.servers] : [];
}
