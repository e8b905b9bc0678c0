// Load balancers of made-up servers, for tests of how they choose.

import { type BalancerContext, LoadBalancer } from "../../../src/upstream/load-balancer.ts";
import { ServerStates } from "../../../src/upstream/server-state.ts";
import type { Balancing, Choice, Chooser, Server, Target, Transport } from "../../../src/upstream/service.ts";
import { random as randomOf } from "../../support/random.ts";

export const NOBODY: Chooser = { clientAddress: "", sni: "", clientId: "", username: "", certificate: "" };

export interface Made {
  readonly balancer: LoadBalancer;
  readonly states: ServerStates;
  readonly targets: readonly Target[];
  /** The address where the next such client comes first; null: nowhere. */
  first(client?: Partial<Chooser>): string | null;
  /** All addresses in the order in which they are tried, those of the last resort at the end. */
  order(client?: Partial<Chooser>): string[];
}

export const named = (...names: string[]): Partial<Server>[] => names.map((address) => ({ address }));

export function make(
  servers: readonly Partial<Server>[],
  balancing: Balancing = {},
  context: Partial<BalancerContext> = {},
): Made {
  const states = context.states ?? new ServerStates();
  const targets = servers.map((server, index): Target => {
    const address = server.address ?? `s${index}`;
    return {
      ...{ service: "s", key: `s ${address}`, transport: {} as Transport, state: states.of(`s ${address}`) },
      server: { address, host: address, port: 1883, tls: false, ...server },
    };
  });
  const { below } = randomOf(1);
  const random = () => below(2 ** 32) / 2 ** 32;
  const balancer = new LoadBalancer(targets, balancing, { start: 0, random, sticky: null, ...context, states });
  const choose = (client: Partial<Chooser> = {}) => balancer.choose({ ...NOBODY, ...client });
  return {
    ...{ balancer, states, targets },
    first: (client) => choose(client).next()?.server.address ?? null,
    order: (client) => all(choose(client)),
  };
}

export function all(choice: Choice): string[] {
  const order: string[] = [];
  for (let next = choice.next(); next !== null; next = choice.next()) order.push(next.server.address);
  for (let next = choice.lastResort(); next !== null; next = choice.lastResort()) order.push(next.server.address);
  return order;
}

/** How often each address came. */
export function counted(addresses: Iterable<string | null>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const address of addresses) counts[address ?? "none"] = (counts[address ?? "none"] ?? 0) + 1;
  return counts;
}
