// How a load balancer's servers are chosen, compiled; and whether a router can know of its clients what its service chooses by.

import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import { bareName, shortName } from "../config/names.ts";
import type { RouterConfig } from "../config/router.ts";
import type { ServiceConfig } from "../config/service.ts";
import type { RouterAction } from "../protocol/messages.ts";
import type { Balancing, ClientKey, Server, ServiceRow } from "../upstream/service.ts";
import type { Item } from "./merge.ts";
import type { Fail } from "./router-draft.ts";
import { loadBalancersOf, type ServiceDraft } from "./service-graph.ts";

type LoadBalancerConfig = NonNullable<ServiceConfig["loadBalancer"]>;

/** What a server's configuration says of how it is chosen; what is as by default is left out. */
export function serverBalancing(server: LoadBalancerConfig["servers"][number]): Partial<Server> {
  const { weight, maxConnections, backup } = server;
  return {
    ...(weight !== undefined && weight !== 1 && { weight }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(backup && { backup }),
  };
}

/** undefined: as by default. */
export function compileBalancing(
  name: string,
  { at }: Item<ServiceConfig>,
  config: LoadBalancerConfig,
  about: Subject,
  diagnostics: Diagnostics,
): Balancing | undefined {
  const { strategy, hashKey, sticky, slowStart, takeover } = config;
  const ignored = (field: "hashKey" | "slowStart", why: string) =>
    diagnostics.warn("field-ignored", at("loadBalancer", field), `the service "${name}": ${field} ${why}`, about);
  if (hashKey !== undefined && strategy !== "hrw")
    ignored("hashKey", `is for  strategy: hrw  alone, and has no effect on ${strategy}`);
  if (slowStart !== undefined && slowStart > 0 && strategy === "hrw")
    ignored("slowStart", "has no effect on hrw, where each client has its server");
  const balancing: Balancing = {
    ...(strategy !== "wrr" && { strategy }),
    ...(strategy === "hrw" && hashKey !== undefined && { hashKey }),
    ...(sticky !== undefined && { sticky }),
    ...(slowStart !== undefined && slowStart > 0 && strategy !== "hrw" && { slowStartMs: slowStart }),
    ...(takeover === "close" && { takeover }),
  };
  return Object.keys(balancing).length === 0 ? undefined : balancing;
}

type LoadBalancer = Extract<ServiceRow, { kind: "loadBalancer" }>;

/** What a service, or one that it is made of, wants to know of a client; `by` says by which field. */
export interface Wish {
  readonly service: string;
  readonly key: ClientKey;
  readonly by: string;
}

/** Everything that a service wants to know of its clients, each key once. */
export function wishesOf(services: ReadonlyMap<string, ServiceDraft>, name: string): readonly Wish[] {
  const wishes = new Map<ClientKey, Wish>();
  for (const [service, { balancing }] of loadBalancersOf(services, name))
    for (const { key, by } of wishedBy(balancing)) if (!wishes.has(key)) wishes.set(key, { service, key, by });
  return [...wishes.values()];
}

/** What TLS hides from a router that passes it through. */
const HIDDEN: readonly ClientKey[] = ["clientId", "username", "certificate"];

/** Whether the router can know of its clients what its service chooses a server by. */
export function checkBalancing(
  { provider, at }: Item<RouterConfig>,
  about: Subject,
  action: RouterAction,
  wishes: readonly Wish[],
  verifying: ReadonlySet<string>,
  fail: Fail,
  diagnostics: Diagnostics,
): void {
  for (const { service, key, by } of wishes) {
    const what = `the service "${shortName(service, provider)}" knows clients by their ${NAMES[key]} (${by})`;
    const none =
      key === "certificate" && action.kind !== "passthrough"
        ? action.kind === "terminate" && verifying.has(action.options)
          ? null
          : "no client of this router shows one that is verified"
        : key === "sni" && action.kind === "plain"
          ? "clients without TLS send none"
          : null;
    if (action.kind === "passthrough" && HIDDEN.includes(key))
      fail("balancing-impossible", at("service"), `${what}, which TLS hides, and the router passes TLS through`);
    else if (none !== null)
      diagnostics.warn(
        "balancing-without-key",
        at("service"),
        `the router "${bareName(about.name)}": ${what}, and ${none}: its clients go to the servers in turn`,
        about,
      );
  }
}

const NAMES: Readonly<Record<ClientKey, string>> = {
  clientId: "client id",
  username: "user name",
  clientIP: "address",
  sni: "SNI",
  certificate: "certificate",
};

function wishedBy(balancing: LoadBalancer["balancing"]): Omit<Wish, "service">[] {
  if (balancing === undefined) return [];
  const { strategy, hashKey = "clientId", sticky, takeover } = balancing;
  return [
    ...(strategy === "hrw" ? [{ key: hashKey, by: "hrw" }] : []),
    ...(sticky === undefined ? [] : [{ key: sticky.key, by: "sticky" }]),
    ...(takeover === undefined ? [] : [{ key: "clientId" as const, by: "takeover" }]),
  ];
}
