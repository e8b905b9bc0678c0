// What may become of a client by what its CONNECT says: who is asked for it, who is right in the end, and on what that depends where it is
// not known. Decisions are those of workers.

import { type Decision, decideRoute, isProvisional } from "../proxy/decide.ts";
import type { Route, Router, RoutingTables } from "../proxy/tables.ts";
import type { Facts, MqttFacts } from "../rules/ast.ts";
import { judge, shortRule, type Unknown, type Why } from "../rules/explain.ts";
import { remainder } from "../rules/remainder.ts";
import type { RouteTable } from "../rules/table.ts";
import type { Re2 } from "../text/re2.ts";

/** Routers of which each may be the one, by what is not known of the CONNECT. */
const MAX_OUTCOMES = 20;

/** What is known of a CONNECT. */
export type Connect = Partial<MqttFacts>;

export interface Outcome {
  readonly decision: Decision;
  /** The first that could be right, by whose TLS settings the client is asked for its CONNECT; null where it is not asked. */
  readonly provisional: Decision | null;
  /** What of the rules is open, since it is not known of this client: of this router's it is true (null: nothing is open); */
  readonly when: Why | null;
  /** of those of the routers before it, it is not. */
  readonly unless: readonly Why[];
}

/** The facts with what is known of the CONNECT, and which of them are not known. */
export function factsWith(connect: Connect, facts: Facts): { readonly facts: Facts; readonly unknown: Unknown } {
  const { clientId, username, version } = connect;
  return {
    facts: { ...facts, mqtt: { clientId: clientId ?? "", username: username ?? null, version: version ?? "3.1.1" } },
    unknown: { clientId: clientId === undefined, username: username === undefined, mqttVersion: version === undefined },
  };
}

/**
 * All that may become of the client, the first router first; `facts` are those before its CONNECT.
 * @throws Error with a line for the operator, when there are too many.
 */
export function outcomesOf(
  tables: RoutingTables,
  kind: "tls" | "plain",
  table: RouteTable<Router>,
  facts: Facts,
  connect: Connect,
  regexps: Map<string, Re2>,
): Outcome[] {
  const decide = (route: Route | null, of: Facts) => decideRoute(kind, table, route, of);
  const first = decide(tables.match(table, facts), facts);
  if (first.kind === "refuse" || !isProvisional(first.route, facts))
    return [{ decision: first, provisional: null, when: null, unless: [] }];
  const full = factsWith(connect, facts);
  const outcomes: Outcome[] = [];
  const unless: Why[] = [];
  const add = (route: Route | null, when: Why | null) =>
    outcomes.push({ decision: decide(route, full.facts), provisional: first, when, unless: [...unless] });
  for (const { rule, value: router } of table.ordered()) {
    const { value, reason } = judge(rule, full.facts, full.unknown, regexps);
    if (value === "false") continue;
    if (outcomes.length >= MAX_OUTCOMES)
      throw new Error(
        `more than ${MAX_OUTCOMES} routers could be this client's: say more of its CONNECT with --clientId, --username and --mqttVersion`,
      );
    const open =
      value === "true" ? null : { part: shortRule(remainder(rule, full.facts, full.unknown, regexps)), reason };
    add(tables.routeOf(router), open);
    if (open === null) return outcomes;
    unless.push(open);
  }
  add(null, null);
  return outcomes;
}
