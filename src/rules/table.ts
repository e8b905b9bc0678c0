// Finds the best router for a connection. An exact name costs one map lookup, however many routes there are: only rules that are
// not bound to names (regexps, addresses, negations) are tried one after the other.
import type { RE2JS } from "re2js";
import type { Facts, Rule } from "./ast.ts";
import { compile, type Matcher } from "./matchers.ts";

export interface RouteEntry<T> {
  /** Router name; decides between routers that are equal in all else. */
  name: string;
  rule: Rule;
  /** Higher goes first. */
  priority: number;
  value: T;
}

interface Slot<T> {
  /** Place in the overall order, 0 is best. */
  rank: number;
  rule: Rule;
  value: T;
  /** True when being found in the index already decides the rule. */
  decided: boolean;
  /** Compiled on first use: of 100 000 routes a worker sees few. */
  matches: Matcher | null;
}

/** The names a rule needs: it can only be true for an SNI among `names`, or for one label before one of `suffixes`. */
interface Keys {
  names: string[];
  suffixes: string[];
}

const NONE: readonly never[] = [];

/**
 * The routes in the order in which they are asked: by priority, highest first; of equal priority an exact name goes before a
 * wildcard, that before a regexp, that before the rest; last the router name decides. Traefik leaves ties to chance (Go map order).
 */
export function orderRoutes<T>(entries: readonly RouteEntry<T>[]): RouteEntry<T>[] {
  const ordered = entries.map((entry) => ({ entry, specificity: specificity(entry.rule) }));
  ordered.sort(
    (a, b) =>
      b.entry.priority - a.entry.priority ||
      a.specificity - b.specificity ||
      compareCodePoints(a.entry.name, b.entry.name),
  );
  return ordered.map(({ entry }) => entry);
}

/** An immutable table of routes that answers as asking each of `orderRoutes` in turn would. */
export class RouteTable<T> {
  readonly size: number;
  readonly #names = new Map<string, Slot<T>[]>();
  readonly #suffixes = new Map<string, Slot<T>[]>();
  readonly #scan: Slot<T>[] = [];
  readonly #regexps = new Map<string, RE2JS>();

  constructor(entries: readonly RouteEntry<T>[]) {
    this.size = entries.length;
    const ordered = orderRoutes(entries);
    for (let rank = 0; rank < ordered.length; rank++) {
      const { rule, value } = ordered[rank]!;
      const keys = keysOf(rule);
      const slot: Slot<T> = { rank, rule, value, decided: isDecidedByKeys(rule), matches: null };
      if (keys === null) {
        this.#scan.push(slot);
      } else {
        for (const name of new Set(keys.names)) append(this.#names, name, slot);
        for (const suffix of new Set(keys.suffixes)) append(this.#suffixes, suffix, slot);
      }
    }
  }

  /** The value of the first router in order whose rule is true, or null. Allocates at most one short string. */
  match(facts: Facts): T | null {
    const { sni } = facts;
    let byName: readonly Slot<T>[] = NONE;
    let bySuffix: readonly Slot<T>[] = NONE;
    if (sni !== "") {
      byName = this.#names.get(sni) ?? NONE;
      if (this.#suffixes.size > 0) {
        const dot = sni.indexOf(".");
        if (dot > 0) bySuffix = this.#suffixes.get(sni.slice(dot)) ?? NONE;
      }
    }
    const scan = this.#scan;
    // All three lists are in rank order: merged, the first that matches is the best.
    let name = 0;
    let suffix = 0;
    let other = 0;
    for (;;) {
      let next = byName[name];
      const a = bySuffix[suffix];
      if (a !== undefined && (next === undefined || a.rank < next.rank)) next = a;
      const b = scan[other];
      if (b !== undefined && (next === undefined || b.rank < next.rank)) next = b;
      if (next === undefined) return null;
      if (next === b) other++;
      else if (next === a) suffix++;
      else name++;
      if (next.decided) return next.value;
      next.matches ??= compile(next.rule, this.#regexps);
      if (next.matches(facts)) return next.value;
    }
  }
}

function append<T>(index: Map<string, Slot<T>[]>, key: string, slot: Slot<T>): void {
  const slots = index.get(key);
  if (slots) slots.push(slot);
  else index.set(key, [slot]);
}

/** The names a rule is bound to, or null if it can be true for names that it does not say. */
function keysOf(rule: Rule): Keys | null {
  switch (rule.kind) {
    case "hostSNI":
      return { names: [rule.name], suffixes: [] };
    case "hostSNIWildcard":
      return { names: [], suffixes: [rule.suffix] };
    case "and": {
      let best: Keys | null = null;
      for (const child of rule.rules) {
        const keys = keysOf(child);
        if (keys !== null && (best === null || isTighter(keys, best))) best = keys;
      }
      return best;
    }
    case "or": {
      const union: Keys = { names: [], suffixes: [] };
      for (const child of rule.rules) {
        const keys = keysOf(child);
        if (keys === null) return null;
        for (const name of keys.names) union.names.push(name);
        for (const suffix of keys.suffixes) union.suffixes.push(suffix);
      }
      return union;
    }
    default:
      return null;
  }
}

// A suffix stands for any number of names, so fewer of those come first.
function isTighter(a: Keys, b: Keys): boolean {
  return (
    a.suffixes.length - b.suffixes.length < 0 ||
    (a.suffixes.length === b.suffixes.length && a.names.length < b.names.length)
  );
}

/** Whether the rule is nothing but names joined by "||" (one of them perhaps `*`, which is always true): being found then says it all. */
function isDecidedByKeys(rule: Rule): boolean {
  if (rule.kind === "or") return rule.rules.every(isDecidedByKeys);
  return rule.kind === "hostSNI" || rule.kind === "hostSNIWildcard" || rule.kind === "any";
}

/** 0 exact name, 1 wildcard, 2 regexp, 3 anything else. "&&" is as specific as its best part, "||" only as its worst. */
function specificity(rule: Rule): number {
  switch (rule.kind) {
    case "hostSNI":
      return 0;
    case "hostSNIWildcard":
      return 1;
    case "hostSNIRegexp":
      return 2;
    case "and":
      return rule.rules.reduce((best, child) => Math.min(best, specificity(child)), 3);
    case "or":
      return rule.rules.reduce((worst, child) => Math.max(worst, specificity(child)), 0);
    default:
      return 3;
  }
}

/** `<` compares UTF-16 units and so puts U+10000 before U+FFFF; names sort the same in every language this way. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    const surrogates = Number(isSurrogate(x)) - Number(isSurrogate(y));
    return surrogates || x - y;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** The host names a rule serves: every exact name, and wildcards as "*.d", outside "!"; in order, each once. For certificates. */
export function ruleNames(rule: Rule): string[] {
  const names = new Set<string>();
  const walk = (part: Rule): void => {
    if (part.kind === "hostSNI") names.add(part.name);
    else if (part.kind === "hostSNIWildcard") names.add(`*${part.suffix}`);
    else if (part.kind === "and" || part.kind === "or") part.rules.forEach(walk);
  };
  walk(rule);
  return [...names];
}

/** Whether the rule is exactly one HostSNI(`*`); `HostSNI(*) || ...` and ClientIP(0.0.0.0/0) are not (Traefik's catch-all). */
export function isCatchAll(rule: Rule): boolean {
  return rule.kind === "any";
}
