// What a router's certificate resolver is to obtain.

import { isIP } from "node:net";
import type { ResolverFacts } from "../acme/facts.ts";
import type { Wanted } from "../acme/plan.ts";
import type { Diagnostics, Place, Subject } from "../config/diagnostics.ts";
import type { GeneratedCertificateConfig } from "../config/dynamic.ts";
import { bareName } from "../config/names.ts";
import type { RouterConfig } from "../config/router.ts";
import type { RouterAction } from "../protocol/messages.ts";
import { suggestion } from "../text/spelling.ts";
import type { Item } from "./merge.ts";

type Resolvers = ReadonlyMap<string, ResolverFacts>;

/** Who wants certificates. */
interface Asker {
  /** In messages. */
  readonly what: string;
  readonly router: string;
  readonly about: Subject;
  readonly place: Place;
  /** What comes is shown where no other certificate fits, too. */
  readonly asDefault: boolean;
}

/** One certificate for the router's names, or one for each of tls.domains; none without a resolver. */
export function ordersOf(
  fullName: string,
  { value: router, at }: Item<RouterConfig>,
  names: readonly string[],
  action: RouterAction,
  resolvers: Resolvers,
  diagnostics: Diagnostics,
): Wanted[] {
  const reference = router.tls?.certResolver;
  if (reference === undefined) return [];
  const { domains } = router.tls!;
  const asker: Asker = {
    what: `the router "${bareName(fullName)}"`,
    router: fullName,
    about: { kind: "router", name: fullName },
    place: at("tls", "certResolver"),
    // Its clients need not send a name, and the certificate is for them.
    asDefault: names.length === 0,
  };
  if (action.kind !== "terminate" && resolvers.has(reference)) {
    const message = `${asker.what} passes TLS through, so its certResolver has no effect`;
    diagnostics.warn("resolver-unused", asker.place, message, asker.about);
    return [];
  }
  return order(asker, reference, domains.length === 0 ? [names] : domains.map(namesOf), resolvers, diagnostics);
}

/** Who asks for the default certificate, where the name of a router stands otherwise, which has a provider behind it. */
export const DEFAULT_STORE = "tls.stores.default";

/** The default certificate, where a resolver is to obtain it. */
export function defaultOrders(
  { value: { resolver, domain }, at }: Item<GeneratedCertificateConfig>,
  resolvers: Resolvers,
  diagnostics: Diagnostics,
): Wanted[] {
  const [what, router] = ["defaultGeneratedCert", DEFAULT_STORE];
  if (resolver === undefined || domain === undefined) {
    const message = `${what} needs a resolver and a domain: without both it has no effect, as in Traefik`;
    diagnostics.warn("field-missing", at(), message, { kind: "store", name: "default" });
    return [];
  }
  const asker: Asker = {
    what,
    router,
    about: { kind: "store", name: "default" },
    place: at("resolver"),
    asDefault: true,
  };
  return order(asker, resolver, [namesOf(domain)], resolvers, diagnostics);
}

function namesOf({ main, sans }: NonNullable<GeneratedCertificateConfig["domain"]>): string[] {
  return [main, ...sans];
}

function order(
  { what, router, about, place, asDefault }: Asker,
  reference: string,
  lists: readonly (readonly string[])[],
  resolvers: Resolvers,
  diagnostics: Diagnostics,
): Wanted[] {
  const resolver = resolvers.get(reference);
  if (resolver === undefined) {
    const meant = suggestion(reference, resolvers.keys());
    const message = `${what}: the resolver "${reference}" does not exist${meant}`;
    diagnostics.error("resolver-unknown", place, message, about);
    return [];
  }
  const orders: Wanted[] = [];
  for (const list of lists) {
    const names = [...new Set(list.map((each) => each.toLowerCase().replace(/\.$/, "")))];
    const problem = problemOfOrder(names, resolver.wildcards);
    if (problem === null) orders.push({ resolver: reference, names, router, asDefault });
    else diagnostics.error("order-impossible", place, `${what}: the resolver "${reference}" ${problem}`, about);
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
