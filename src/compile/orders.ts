// What a router's certificate resolver is to obtain.

import { isIP } from "node:net";
import type { ResolverFacts } from "../acme/facts.ts";
import type { Wanted } from "../acme/plan.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { RouterConfig } from "../config/dynamic.ts";
import { bareName } from "../config/names.ts";
import type { RouterAction } from "../protocol/messages.ts";
import { suggestion } from "../text/spelling.ts";
import type { Item } from "./merge.ts";

/** One certificate for the router's names, or one for each of tls.domains; none without a resolver. */
export function ordersOf(
  fullName: string,
  { value: router, at }: Item<RouterConfig>,
  names: readonly string[],
  action: RouterAction,
  resolvers: ReadonlyMap<string, ResolverFacts>,
  diagnostics: Diagnostics,
): Wanted[] {
  const reference = router.tls?.certResolver;
  if (reference === undefined) return [];
  const name = bareName(fullName);
  const place = at("tls", "certResolver");
  const about: Subject = { kind: "router", name: fullName };
  const resolver = resolvers.get(reference);
  if (resolver === undefined) {
    const meant = suggestion(reference, resolvers.keys());
    diagnostics.error(
      "resolver-unknown",
      place,
      `the router "${name}": the resolver "${reference}" does not exist${meant}`,
      about,
    );
    return [];
  }
  if (action.kind !== "terminate") {
    diagnostics.warn(
      "resolver-unused",
      place,
      `the router "${name}" passes TLS through, so its certResolver has no effect`,
      about,
    );
    return [];
  }
  const { domains } = router.tls!;
  const wanted = domains.length === 0 ? [names] : domains.map(({ main, sans }) => [main, ...sans]);
  const orders: Wanted[] = [];
  for (const list of wanted) {
    const order = [...new Set(list.map((each) => each.toLowerCase().replace(/\.$/, "")))];
    const problem = problemOfOrder(order, resolver.wildcards);
    if (problem === null) orders.push({ resolver: reference, names: order, router: fullName });
    else
      diagnostics.error(
        "order-impossible",
        place,
        `the router "${name}": the resolver "${reference}" ${problem}`,
        about,
      );
  }
  return orders;
}

/** Let's Encrypt's limit, and others' too. */
const MAX_NAMES = 100;

/** Why an authority would refuse these names; null if it would not. */
function problemOfOrder(names: readonly string[], wildcards: boolean): string | null {
  if (names.length === 0) return "has no name to order: name a host in the rule, or give tls.domains";
  if (names.length > MAX_NAMES) return `cannot order one certificate for ${names.length} names: at most ${MAX_NAMES}`;
  const wildcard = names.find((each) => each.startsWith("*."));
  if (wildcard !== undefined && !wildcards) return `cannot prove ${wildcard}: wildcards need dnsChallenge`;
  const odd = names.find(
    (each) => isIP(each) !== 0 || !/^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9-]{2,}$/.test(each),
  );
  return odd === undefined ? null : `cannot order a certificate for "${odd}", which is no public host name`;
}
