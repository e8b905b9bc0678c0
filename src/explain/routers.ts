// The router that takes a client, and those beside it that do not: why each one before it does not match, and each one after it would
// have had to wait.

import type { Merged } from "../compile/merge.ts";
import type { RouterRow } from "../protocol/messages.ts";
import type { Facts } from "../rules/ast.ts";
import { formatRule, judge, type Unknown } from "../rules/explain.ts";
import { type RouteEntry, specificity } from "../rules/table.ts";
import type { Re2 } from "../text/re2.ts";
import { type Explanation, MAX_SHOWN, type RouterFacts } from "./explanation.ts";
import { placeOf } from "./places.ts";

/** Characters of a rule that are shown. */
const MAX_RULE = 500;

/** Of a client of which nothing but its name is known. */
const NAME_ALONE: Unknown = { address: true, alpn: true, clientId: true, username: true, mqttVersion: true };

export type Router = RouteEntry<{ readonly row: RouterRow }>;

export class RouterReport {
  readonly #merged: Merged;
  readonly #regexps: Map<string, Re2>;

  /** `regexps` are those compiled so far. */
  constructor(merged: Merged, regexps: Map<string, Re2>) {
    this.#merged = merged;
    this.#regexps = regexps;
  }

  facts({ name, rule, priority, value }: Router): RouterFacts {
    const item = this.#merged.routers.get(name);
    const text = item?.value.rule ?? formatRule(rule);
    const given = (item?.value.priority ?? 0) !== 0;
    return {
      name,
      rule: text.length <= MAX_RULE ? text : `${text.slice(0, MAX_RULE)}...`,
      priority,
      priorityFrom: given ? "given" : rule.kind === "any" ? "catch-all" : "rule length",
      action: value.row.action.kind,
      service: value.row.service,
      place: placeOf(item?.at()),
    };
  }

  /** First those whose names fit and whose other conditions fail, then the nearest ones; shown in the order in which they are asked. */
  before(routers: readonly Router[], facts: Facts, unknown: Unknown): Explanation["before"] {
    const nearest = routers.toReversed();
    const fits = ({ rule }: Router) => judge(rule, facts, NAME_ALONE, this.#regexps).value !== "false";
    const chosen = new Set(routers.length <= MAX_SHOWN ? routers : first(nearest, MAX_SHOWN, fits));
    for (const each of nearest) if (chosen.size < MAX_SHOWN) chosen.add(each);
    const shown = routers
      .filter((each) => chosen.has(each))
      .map((each) => {
        const { part, reason } = judge(each.rule, facts, unknown, this.#regexps);
        return { ...this.facts(each), why: { part, reason } };
      });
    return { total: routers.length, shown };
  }

  after(winner: Router | null, later: readonly Router[], facts: Facts, unknown: Unknown): Explanation["after"] {
    if (winner === null) return { total: 0, shown: [] };
    const matching = later.filter(({ rule }) => judge(rule, facts, unknown, this.#regexps).value !== "false");
    const shown = matching.slice(0, MAX_SHOWN).map((each) => ({ ...this.facts(each), why: whyLater(each, winner) }));
    return { total: matching.length, shown };
  }
}

/** At most `most` of those that are wanted. */
export function first<T>(list: readonly T[], most: number, wanted: (each: T) => boolean): T[] {
  const found: T[] = [];
  for (const each of list) {
    if (found.length >= most) break;
    if (wanted(each)) found.push(each);
  }
  return found;
}

/** By the specificity of a rule. */
const KINDS = ["an exact name", "a wildcard", "a regular expression", "a rule without names"];

function whyLater(later: Router, winner: Router): string {
  if (later.priority !== winner.priority) return `its priority ${later.priority} is below ${winner.priority}`;
  if ((later.rank ?? 0) !== (winner.rank ?? 0))
    return "of equal priority, its provider comes later in providers.precedence";
  const [own, other] = [specificity(later.rule), specificity(winner.rule)];
  if (own !== other) return `of equal priority, ${KINDS[own]} comes after ${KINDS[other]}`;
  return "it is equal in priority and kind, and its name comes later";
}
