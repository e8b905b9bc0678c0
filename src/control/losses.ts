// What connections lose when the configuration changes: their server, service or router, or what they came by. It is worked out from what
// was in force and what is. While there is a mistake nothing counts as lost: what was sound last stands in until it is mended.

import type { Narrowed, RouterRow, Which } from "../protocol/messages.ts";
import type { LivePolicy } from "../upstream/live.ts";
import { serverKey } from "../upstream/service.ts";
import { asksForMore } from "./asks-for-more.ts";
import { type InForce, type LoadBalancer, Present } from "./present.ts";

/** Connections that are to end, and what people call them. */
export interface Departure {
  readonly id: string;
  readonly reason: "drained" | "removed";
  readonly which: Which;
  readonly policy: LivePolicy;
  readonly about: About;
}

/** Labels of log lines and metrics. */
export interface About {
  readonly router?: string;
  readonly service?: string;
  readonly server?: string;
}

interface Loss extends Pick<Departure, "id" | "which" | "about"> {
  /** What becomes of the connections by a later configuration; null: it has brought back what they lost. */
  policy(now: Present): LivePolicy | null;
}

const KEEP: LivePolicy = { kind: "keep" };

export class Losses {
  #former: Present | null = null;
  readonly #losses = new Map<string, Loss>();

  /**
   * A configuration comes into force under this version.
   * @returns the connections that are to be closed because of what this and earlier ones have removed.
   */
  take(inForce: InForce, version: number): Departure[] {
    const former = this.#former;
    const now = new Present(inForce, former);
    this.#former = now;
    if (former === null) return [];
    for (const loss of [...servicesLost(former, now, version), ...routersLost(former, now, version)])
      if (!this.#losses.has(loss.id)) this.#losses.set(loss.id, loss);
    const departures: Departure[] = [];
    for (const [id, { which, about, policy }] of this.#losses) {
      const then = policy(now);
      if (then === null || then.kind === "keep") this.#losses.delete(id);
      else departures.push({ id, reason: "removed", which, about, policy: then });
    }
    return departures;
  }

  /** All of its connections are gone. */
  forget(id: string): void {
    this.#losses.delete(id);
  }
}

function* servicesLost(former: Present, now: Present, before: number): Generator<Loss> {
  for (const [service, row] of former.services) {
    if (row.kind === "loadBalancer") {
      const there = new Set(now.keysOf(service));
      for (const { address } of row.servers)
        if (!there.has(serverKey(service, address))) yield serverLost(service, address, row);
    } else if (now.services.has(service)) {
      const reached = now.reach(service);
      for (const part of former.reach(service))
        if (!reached.has(part)) yield partLost(service, part, former.keysOf(part), loadBalancer(former, part), before);
    }
  }
}

/** A server is in its service no more, or the service is gone. */
function serverLost(service: string, address: string, former: LoadBalancer): Loss {
  const key = serverKey(service, address);
  return {
    id: `server ${key}`,
    which: { by: "server", key },
    about: { service, server: address },
    policy: (now) => (now.keysOf(service).includes(key) ? null : onRemove(now, service, former)),
  };
}

/** A weighted service leads to another one no more. */
function partLost(
  service: string,
  part: string,
  servers: readonly string[],
  former: LoadBalancer,
  before: number,
): Loss {
  return {
    id: `service ${service} ${part}`,
    which: { by: "service", name: service, before, servers },
    about: { service: part },
    policy: (now) => (now.reach(service).has(part) ? null : onRemove(now, part, former)),
  };
}

/** What a service says now, or said last. */
function onRemove(now: Present, service: string, former: LoadBalancer): LivePolicy {
  const row = now.services.get(service);
  return (row?.kind === "loadBalancer" ? row : former).onRemove ?? KEEP;
}

function loadBalancer(present: Present, service: string): LoadBalancer {
  return present.services.get(service) as LoadBalancer;
}

function* routersLost(former: Present, now: Present, before: number): Generator<Loss> {
  for (const [router, row] of former.routers) {
    const known = now.routers.get(router);
    if (known === row) continue;
    const loss = (what: string, policy: Loss["policy"], narrowed: Omit<Narrowed, "before"> = {}): Loss => ({
      id: `router ${router} ${what}`,
      which: { by: "router", name: router, before, ...narrowed },
      about: { router },
      policy,
    });
    if (known === undefined) {
      yield loss("", (then) => (then.routers.has(router) ? null : (row.onRemove ?? KEEP)));
      continue;
    }
    /** As the router says then. When it is gone as well, all of its connections are another loss. */
    const unless = (isBack: (then: Present, row: RouterRow) => boolean) => (then: Present) => {
      const found = then.routers.get(router);
      return found === undefined || isBack(then, found) ? null : (found.onRemove ?? KEEP);
    };
    for (const point of row.entryPoints) {
      if (known.entryPoints.includes(point)) continue;
      const isBack = (_: Present, { entryPoints }: RouterRow) => entryPoints.includes(point);
      yield loss(`entryPoint ${point}`, unless(isBack), { entryPoints: [point] });
    }
    if (asksForMore(row.action, former.options, known.action, now.options)) {
      const isBack = (then: Present, { action }: RouterRow) =>
        !asksForMore(row.action, former.options, action, then.options);
      yield loss("tls", unless(isBack));
    }
    if (row.service === known.service) continue;
    const reached = now.reach(known.service);
    for (const service of former.reach(row.service)) {
      if (reached.has(service)) continue;
      const isBack = (then: Present, { service: top }: RouterRow) => then.reach(top).has(service);
      yield loss(`service ${service}`, unless(isBack), { servers: former.keysOf(service) });
    }
  }
}
