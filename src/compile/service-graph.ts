// What services that are made of others come to: cycles, how deep they are, and how many servers there are in all.

import type { HealthCheck } from "../upstream/health.ts";
import { childrenOf as childrenOfRow, type Server, type ServiceRow } from "../upstream/service.ts";

/** A service that may turn out not to be sound. */
export interface ServiceDraft {
  row: ServiceRow | null;
  /** Servers with a mistake are left out. */
  readonly isPartial?: boolean;
  /** How its servers are checked: for the master alone, because it may hold a password. */
  readonly check?: HealthCheck;
}

/** Servers that one service may have over all it is made of; beyond it is a mistake that would cost memory for every connection. */
export const MAX_TARGETS = 10_000;

/** Services that may be inside one another; beyond it is a mistake too, and everything that follows them is recursive. */
export const MAX_NESTED = 50;

/** The services that have more than MAX_TARGETS servers, counted as often as they are reached. Needs services without cycles. */
export function findTooLarge(services: ReadonlyMap<string, ServiceDraft>): Set<string> {
  const sizes = new Map<string, number>();
  for (const name of childrenFirst(services)) {
    const row = services.get(name)?.row;
    const size =
      row?.kind === "loadBalancer"
        ? row.servers.length
        : childrenOf(services, name).reduce((sum, child) => sum + sizes.get(child)!, 0);
    sizes.set(name, size);
  }
  return new Set([...sizes.keys()].filter((name) => sizes.get(name)! > MAX_TARGETS));
}

/** The services that hold more than MAX_NESTED others inside one another. Needs services without cycles. */
export function findTooDeep(services: ReadonlyMap<string, ServiceDraft>): Set<string> {
  const depths = new Map<string, number>();
  for (const name of childrenFirst(services)) {
    let depth = 0;
    for (const child of childrenOf(services, name)) depth = Math.max(depth, depths.get(child)! + 1);
    depths.set(name, depth);
  }
  return new Set([...depths.keys()].filter((name) => depths.get(name)! > MAX_NESTED));
}

/** Services that contain themselves: some of every cycle, so that none is left without them. */
export function findCycle(services: ReadonlyMap<string, ServiceDraft>): Set<string> {
  const inCycle = new Set<string>();
  childrenFirst(services, (path) => {
    for (const name of path) inCycle.add(name);
  });
  return inCycle;
}

/** All names, each behind those that it is made of, also where no service has them. No recursion: there may be thousands in a row. */
function childrenFirst(
  services: ReadonlyMap<string, ServiceDraft>,
  onCycle: (path: readonly string[]) => void = () => {},
): Set<string> {
  const done = new Set<string>();
  for (const root of services.keys()) {
    if (done.has(root)) continue;
    const path = [{ name: root, next: 0 }];
    const at = new Map([[root, 0]]);
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const child = childrenOf(services, last.name)[last.next++];
      if (child === undefined) {
        done.add(last.name);
        at.delete(last.name);
        path.pop();
      } else if (at.has(child)) onCycle(path.slice(at.get(child)!).map(({ name }) => name));
      else if (!done.has(child)) {
        at.set(child, path.length);
        path.push({ name: child, next: 0 });
      }
    }
  }
  return done;
}

function childrenOf(services: ReadonlyMap<string, ServiceDraft>, name: string): readonly string[] {
  const row = services.get(name)?.row;
  return row ? childrenOfRow(row) : NONE;
}

const NONE: readonly never[] = [];

/** The servers of a service and of all that it is made of. */
export function serversOf(
  services: ReadonlyMap<string, ServiceDraft>,
  name: string,
  seen = new Set<string>(),
): Server[] {
  if (seen.has(name)) return [];
  seen.add(name);
  const row = services.get(name)?.row;
  if (row?.kind === "loadBalancer") return [...row.servers];
  return childrenOf(services, name).flatMap((child) => serversOf(services, child, seen));
}

type LoadBalancerRow = Extract<ServiceRow, { kind: "loadBalancer" }>;

/** The load balancers that a service comes to, by name. */
export function loadBalancersOf(
  services: ReadonlyMap<string, ServiceDraft>,
  name: string,
  found = new Map<string, LoadBalancerRow>(),
  seen = new Set<string>(),
): Map<string, LoadBalancerRow> {
  if (seen.has(name)) return found;
  seen.add(name);
  const row = services.get(name)?.row;
  if (row?.kind === "loadBalancer") found.set(name, row);
  for (const child of childrenOf(services, name)) loadBalancersOf(services, child, found, seen);
  return found;
}
