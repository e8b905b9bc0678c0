// Whether every connection that one rule matches is matched by another one too. "Yes" is sure; where it would take more than comparing
// conditions one by one, or more than a bounded time, the answer is "not known".
import { RE2JS } from "re2js";
import { type Network, networkHolds, parseNetwork } from "./address.ts";
import type { Rule } from "./ast.ts";

type Leaf = Exclude<Rule, { kind: "any" | "not" | "and" | "or" }>;

export interface Condition {
  readonly leaf: Leaf;
  readonly negated: boolean;
}

/** Conditions that must all be true; none at all is always true. */
export type Alternative = readonly Condition[];

/** Steps that one rule may take to come apart: some thousand names joined by "||", or a few hundred conditions joined by "&&". */
const MAX_STEPS = 200_000;

/**
 * A rule as alternatives of which one must be true. Those that can never be true are left out, so none at all is a rule that matches
 * nothing. null: they would be too many. `regexps` is shared as in `compile`.
 */
export function alternativesOf(rule: Rule, regexps: Map<string, RE2JS> = new Map()): Alternative[] | null {
  let steps = MAX_STEPS;
  const take = (part: Rule, negated: boolean): Alternative[] | null => {
    if (--steps < 0) return null;
    switch (part.kind) {
      case "not":
        return take(part.rule, !negated);
      case "any":
        return negated ? [] : [[]];
      case "and":
      case "or":
        return (part.kind === "or") === negated ? all(part.rules, negated) : some(part.rules, negated);
      default:
        // An empty match is found in any name, and in none.
        if (part.kind === "hostSNIRegexp" && part.source === ".*") return negated ? [] : [[]];
        return [[{ leaf: part, negated }]];
    }
  };
  const some = (parts: readonly Rule[], negated: boolean): Alternative[] | null => {
    const union: Alternative[] = [];
    for (const part of parts) {
      const taken = take(part, negated);
      if (taken === null) return null;
      for (const each of taken) union.push(each);
      steps -= taken.length;
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
          steps -= (a.length + 1) * (b.length + 1);
          if (steps < 0) return null;
          if (!a.some((x) => b.some((y) => exclude(x, y, regexps)))) next.push([...a, ...b]);
        }
      product = next;
    }
    return product;
  };
  return take(rule, false);
}

/** Whether all that makes `a` true makes `b` true; false where that is not sure. */
export function alternativeImplies(a: Alternative, b: Alternative, regexps: Map<string, RE2JS> = new Map()): boolean {
  return b.every((wanted) => a.some((given) => conditionImplies(given, wanted, regexps)));
}

/** Whether each connection that matches `a` surely matches `b`; false where that is not known. */
export function implies(a: Rule, b: Rule, regexps: Map<string, RE2JS> = new Map()): boolean {
  const [from, to] = [alternativesOf(a, regexps), alternativesOf(b, regexps)];
  if (from === null || to === null || from.length * to.length > MAX_STEPS) return false;
  return from.every((each) => to.some((wider) => alternativeImplies(each, wider, regexps)));
}

function conditionImplies(a: Condition, b: Condition, regexps: Map<string, RE2JS>): boolean {
  if (a.negated) return b.negated && leafImplies(b.leaf, a.leaf, regexps);
  return b.negated ? leavesExclude(a.leaf, b.leaf, regexps) : leafImplies(a.leaf, b.leaf, regexps);
}

/** Whether both can surely not be true at once. */
function exclude(a: Condition, b: Condition, regexps: Map<string, RE2JS>): boolean {
  if (a.negated) return !b.negated && leafImplies(b.leaf, a.leaf, regexps);
  return b.negated ? leafImplies(a.leaf, b.leaf, regexps) : leavesExclude(a.leaf, b.leaf, regexps);
}

function leafImplies(a: Leaf, b: Leaf, regexps: Map<string, RE2JS>): boolean {
  switch (b.kind) {
    case "hostSNI":
      return a.kind === "hostSNI" && a.name === b.name;
    case "hostSNIWildcard":
      return a.kind === "hostSNI" ? suffixOf(a.name) === b.suffix : a.kind === b.kind && a.suffix === b.suffix;
    case "hostSNIRegexp":
      if (a.kind === "hostSNI") return finds(b.source, a.name, regexps);
      // There is a dot at the least in a name that a wildcard takes.
      return (a.kind === "hostSNIWildcard" && b.source === ".+") || (a.kind === b.kind && a.source === b.source);
    case "clientIP":
      return a.kind === "clientIP" && isInside(networkOf(a.cidr), networkOf(b.cidr));
    case "alpn":
      return a.kind === "alpn" && a.protocol === b.protocol;
  }
}

function leavesExclude(a: Leaf, b: Leaf, regexps: Map<string, RE2JS>): boolean {
  if (a.kind === "hostSNIRegexp" && b.kind === "hostSNI") return !finds(a.source, b.name, regexps);
  if (a.kind === "hostSNIWildcard" && b.kind === "hostSNI") return suffixOf(b.name) !== a.suffix;
  if (a.kind === "hostSNIWildcard") return b.kind === "hostSNIWildcard" && a.suffix !== b.suffix;
  if (a.kind === "hostSNI")
    return b.kind === "hostSNI" || b.kind === "hostSNIWildcard" || b.kind === "hostSNIRegexp"
      ? !leafImplies(a, b, regexps)
      : false;
  if (a.kind !== "clientIP" || b.kind !== "clientIP") return false;
  const [x, y] = [networkOf(a.cidr), networkOf(b.cidr)];
  return !isInside(x, y) && !isInside(y, x);
}

/** What stands behind the first label of a name that has one; a wildcard of this suffix takes the name. */
export function suffixOf(name: string): string | null {
  const dot = name.indexOf(".");
  return dot > 0 ? name.slice(dot) : null;
}

function finds(source: string, name: string, regexps: Map<string, RE2JS>): boolean {
  let regexp = regexps.get(source);
  if (regexp === undefined) regexps.set(source, (regexp = RE2JS.compile(source)));
  return regexp.test(name);
}

function networkOf(cidr: string): Network {
  return parseNetwork(cidr)!; // parseRule has read it
}

/** Networks are inside one another, or apart. */
function isInside(inner: Network, outer: Network): boolean {
  return inner.prefix >= outer.prefix && networkHolds(outer, inner.address, 0, inner.address.length);
}
