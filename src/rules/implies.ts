// Whether every connection that one rule matches is matched by another one too. "Yes" is sure; where it would take more than comparing
// conditions one by one, or more than a bounded time, the answer is "not known".

import { type Network, networkHolds, parseNetwork } from "../ip/address.ts";
import { compileRe2, type Re2 } from "../text/re2.ts";
import { isMqtt, type MqttLeaf, type Rule } from "./ast.ts";

type Leaf = Exclude<Rule, { kind: "any" | "not" | "and" | "or" }>;

export interface Condition {
  readonly leaf: Leaf;
  readonly negated: boolean;
}

/** Conditions that must all be true; none at all is always true. */
export type Alternative = readonly Condition[];

/** Steps that one rule may take to come apart: some thousand names joined by "||", or a few hundred conditions joined by "&&". */
const MAX_STEPS = 200_000;
/** Steps of all rules together, most of which compare two conditions: some seconds on a slow machine. */
const MAX_STEPS_TOGETHER = 20_000_000;
/** To look for a regexp costs so many steps, and one more for so many states of it times characters of the name. */
const REGEXP_STEPS = 20;
const STATES_PER_STEP = 64;

/** What comparing many rules shares. When no steps are left, nothing more is sure. */
export class Comparison {
  readonly regexps = new Map<string, Re2>();
  readonly #networks = new Map<string, Network>();
  #left: number;

  constructor(steps = MAX_STEPS_TOGETHER) {
    this.#left = steps;
  }

  /** false: there are not so many left. */
  spend(steps: number): boolean {
    this.#left -= steps;
    return this.#left >= 0;
  }

  network(cidr: string): Network {
    let network = this.#networks.get(cidr);
    if (network === undefined) this.#networks.set(cidr, (network = parseNetwork(cidr)!)); // parseRule has read it
    return network;
  }

  finds(source: string, name: string): boolean {
    let regexp = this.regexps.get(source);
    if (regexp === undefined) this.regexps.set(source, (regexp = compileRe2(source)));
    this.spend(REGEXP_STEPS + Math.floor((regexp.programSize() * name.length) / STATES_PER_STEP));
    return regexp.test(name);
  }
}

/**
 * A rule as alternatives of which one must be true. Those that can never be true are left out, so none at all is a rule that matches
 * nothing. null: they would be too many.
 */
export function alternativesOf(rule: Rule, comparison = new Comparison()): Alternative[] | null {
  let steps = MAX_STEPS;
  const spend = (count: number): boolean => {
    steps -= count;
    return comparison.spend(count) && steps >= 0;
  };
  const take = (part: Rule, negated: boolean): Alternative[] | null => {
    if (!spend(1)) return null;
    switch (part.kind) {
      case "not":
        return take(part.rule, !negated);
      case "any":
        return negated ? [] : [[]];
      case "and":
      case "or":
        return (part.kind === "or") === negated ? all(part.rules, negated) : some(part.rules, negated);
      default:
        // An empty match is found in any name, and in none; and in any client identifier, of which there is always one.
        if ((part.kind === "hostSNIRegexp" || part.kind === "mqttClientIdRegexp") && part.source === ".*")
          return negated ? [] : [[]];
        return [[{ leaf: part, negated }]];
    }
  };
  const some = (parts: readonly Rule[], negated: boolean): Alternative[] | null => {
    const union: Alternative[] = [];
    for (const part of parts) {
      const taken = take(part, negated);
      if (taken === null) return null;
      for (const each of taken) union.push(each);
      if (!spend(taken.length)) return null;
    }
    return union;
  };
  const all = (parts: readonly Rule[], negated: boolean): Alternative[] | null => {
    let product: Alternative[] = [[]];
    for (const part of parts) {
      const taken = take(part, negated);
      if (taken === null) return null;
      const next: Alternative[] = [];
      for (const a of product)
        for (const b of taken) {
          if (!spend((a.length + 1) * (b.length + 1))) return null;
          if (!a.some((x) => b.some((y) => exclude(x, y, comparison)))) next.push([...a, ...b]);
        }
      product = next;
    }
    return product;
  };
  return take(rule, false);
}

/** Whether all that makes `a` true makes `b` true; false where that is not sure. */
export function alternativeImplies(a: Alternative, b: Alternative, comparison = new Comparison()): boolean {
  return b.every((wanted) => a.some((given) => comparison.spend(1) && conditionImplies(given, wanted, comparison)));
}

/** Whether each connection that matches `a` surely matches `b`; false where that is not known. */
export function implies(a: Rule, b: Rule, comparison = new Comparison()): boolean {
  const [from, to] = [alternativesOf(a, comparison), alternativesOf(b, comparison)];
  if (from === null || to === null) return false;
  return from.every((each) => to.some((wider) => comparison.spend(1) && alternativeImplies(each, wider, comparison)));
}

function conditionImplies(a: Condition, b: Condition, comparison: Comparison): boolean {
  if (a.negated) return b.negated && leafImplies(b.leaf, a.leaf, comparison);
  return b.negated ? leavesExclude(a.leaf, b.leaf, comparison) : leafImplies(a.leaf, b.leaf, comparison);
}

/** Whether both can surely not be true at once. */
function exclude(a: Condition, b: Condition, comparison: Comparison): boolean {
  if (a.negated) return !b.negated && leafImplies(b.leaf, a.leaf, comparison);
  return b.negated ? leafImplies(a.leaf, b.leaf, comparison) : leavesExclude(a.leaf, b.leaf, comparison);
}

function leafImplies(a: Leaf, b: Leaf, comparison: Comparison): boolean {
  switch (b.kind) {
    case "hostSNI":
      return a.kind === "hostSNI" && a.name === b.name;
    case "hostSNIWildcard":
      return a.kind === "hostSNI" ? suffixOf(a.name) === b.suffix : a.kind === b.kind && a.suffix === b.suffix;
    case "hostSNIRegexp":
      if (a.kind === "hostSNI") return comparison.finds(b.source, a.name);
      // There is a dot at the least in a name that a wildcard takes.
      return (a.kind === "hostSNIWildcard" && b.source === ".+") || (a.kind === b.kind && a.source === b.source);
    case "clientIP":
      return a.kind === "clientIP" && isInside(comparison.network(a.cidr), comparison.network(b.cidr));
    case "alpn":
      return a.kind === "alpn" && a.protocol === b.protocol;
    case "mqttClientId":
    case "mqttUsername":
      return a.kind === b.kind && a.value === b.value;
    case "mqttClientIdRegexp":
      if (a.kind === "mqttClientId") return comparison.finds(b.source, a.value);
      return a.kind === b.kind && a.source === b.source;
    case "mqttUsernameRegexp":
      if (a.kind === "mqttUsername") return comparison.finds(b.source, a.value);
      // An empty match is found in any user name, but there may be none.
      return a.kind === b.kind && (b.source === ".*" || a.source === b.source);
    case "mqttVersion":
      return a.kind === b.kind && a.version === b.version;
  }
}

function leavesExclude(a: Leaf, b: Leaf, comparison: Comparison): boolean {
  if (a.kind === "hostSNIRegexp" && b.kind === "hostSNI") return !comparison.finds(a.source, b.name);
  if (a.kind === "hostSNIWildcard" && b.kind === "hostSNI") return suffixOf(b.name) !== a.suffix;
  if (a.kind === "hostSNIWildcard") return b.kind === "hostSNIWildcard" && a.suffix !== b.suffix;
  if (a.kind === "hostSNI")
    return b.kind === "hostSNI" || b.kind === "hostSNIWildcard" || b.kind === "hostSNIRegexp"
      ? !leafImplies(a, b, comparison)
      : false;
  if (isMqtt(a)) return mqttLeavesExclude(a, b, comparison);
  if (a.kind !== "clientIP" || b.kind !== "clientIP") return false;
  const [x, y] = [comparison.network(a.cidr), comparison.network(b.cidr)];
  return !isInside(x, y) && !isInside(y, x);
}

function mqttLeavesExclude(a: MqttLeaf, b: Leaf, comparison: Comparison): boolean {
  const [wide, exact] = "source" in a ? [a, b] : [b, a];
  switch (exact.kind) {
    case "mqttClientId":
      return (wide.kind === exact.kind || wide.kind === "mqttClientIdRegexp") && !leafImplies(exact, wide, comparison);
    case "mqttUsername":
      return (wide.kind === exact.kind || wide.kind === "mqttUsernameRegexp") && !leafImplies(exact, wide, comparison);
    case "mqttVersion":
      return wide.kind === exact.kind && wide.version !== exact.version;
    default:
      return false;
  }
}

/** What stands behind the first label of a name that has one; a wildcard of this suffix takes the name. */
export function suffixOf(name: string): string | null {
  const dot = name.indexOf(".");
  return dot > 0 ? name.slice(dot) : null;
}

/** Networks are inside one another, or apart. */
function isInside(inner: Network, outer: Network): boolean {
  return inner.prefix >= outer.prefix && networkHolds(outer, inner.address, 0, inner.address.length);
}
