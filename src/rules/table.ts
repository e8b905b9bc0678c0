// Finds the best router for a connection. An exact name costs one map lookup, however many routes there are: only rules that are
// not bound to names (regexps, addresses, negations) are tried one after the other.
import type { Re2 } from "../text/re2.ts";
import type { Facts, Rule } from "./ast.ts";
import { compile, type Matcher } from "./matchers.ts";

export interface RouteEntry<T> {
  /** Router name; decides between routers that are equal in all else. */
  name: string;
  rule: Rule;
  /** Higher goes first. */
  priority: number;
  /** Decides between equal priorities: the lower goes first. 0 when it is left out. */
  rank?: number | undefined;
  value: T;
}

interface Slot<T> {
  readonly entry: RouteEntry<T>;
  readonly specificity: number;
  /** True when being found in the index already decides the rule. */
  readonly decided: boolean;
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
 * The routes in the order in which they are asked: by priority, highest first; then by the rank of their providers; then an exact
 * name goes before a wildcard, that before a regexp, that before the rest; last the router name decides. Traefik leaves ties within
 * a provider to chance (Go map order).
 */
export function orderRoutes<T>(entries: readonly RouteEntry<T>[]): RouteEntry<T>[] {
  return entries
    .map(slotOf)
    .sort(compare)
    .map((slot) => slot.entry);
}

function slotOf<T>(entry: RouteEntry<T>): Slot<T> {
  const { rule } = entry;
  return { entry, specificity: specificity(rule), decided: isDecidedByKeys(rule), matches: null };
}

function compare(a: Slot<unknown>, b: Slot<unknown>): number {
  return (
    b.entry.priority - a.entry.priority ||
    (a.entry.rank ?? 0) - (b.entry.rank ?? 0) ||
    a.specificity - b.specificity ||
    compareCodePoints(a.entry.name, b.entry.name)
  );
}

/** A table of routes that answers as asking each of `orderRoutes` in turn would. A change costs what it changes, not the whole. */
export class RouteTable<T> {
  #size = 0;
  readonly #names = new Map<string, Slot<T>[]>();
  readonly #suffixes = new Map<string, Slot<T>[]>();
  readonly #scan: Slot<T>[] = [];
  /** What rules share of their regexps, compiled on first use. */
  readonly #regexps = new Map<string, Re2>();
  /** How often each regexp stands in the rules of the table: what no rule has any more is forgotten. */
  readonly #uses = new Map<string, number>();

  constructor(entries: readonly RouteEntry<T>[] = []) {
    for (const entry of entries) this.add(entry);
  }

  get size(): number {
    return this.#size;
  }

  /** Compiled regexps that are held: never more than different ones stand in the rules. */
  get compiledRegexps(): number {
    return this.#regexps.size;
  }

  /** Its name must not be in the table. */
  add(entry: RouteEntry<T>): void {
    this.#size++;
    eachRegexp(entry.rule, (source) => this.#uses.set(source, (this.#uses.get(source) ?? 0) + 1));
    const slot = slotOf(entry);
    const keys = keysOf(entry.rule);
    if (keys === null) {
      insert(this.#scan, slot);
      return;
    }
    for (const name of keys.names) append(this.#names, name, slot);
    for (const suffix of keys.suffixes) append(this.#suffixes, suffix, slot);
  }

  /** Takes out the entry of this name, which was added with this rule. */
  remove({ name, rule }: { readonly name: string; readonly rule: Rule }): void {
    this.#size--;
    eachRegexp(rule, (source) => this.#release(source));
    const keys = keysOf(rule);
    if (keys === null) {
      cut(this.#scan, name);
      return;
    }
    for (const each of keys.names) detach(this.#names, each, name);
    for (const each of keys.suffixes) detach(this.#suffixes, each, name);
  }

  /** All entries in the order in which they are asked: `match` gives the first whose rule is true. */
  ordered(): RouteEntry<T>[] {
    const slots = new Set(this.#scan);
    for (const index of [this.#names, this.#suffixes])
      for (const list of index.values()) for (const slot of list) slots.add(slot);
    return [...slots].sort(compare).map((slot) => slot.entry);
  }

  #release(source: string): void {
    const left = this.#uses.get(source)! - 1;
    if (left > 0) this.#uses.set(source, left);
    else {
      this.#uses.delete(source);
      this.#regexps.delete(source);
    }
  }

  /** Whether a rule names this server name, by itself or by a wildcard, whatever else it asks for. */
  knows(sni: string): boolean {
    const dot = sni.indexOf(".");
    return this.#names.has(sni) || (dot > 0 && this.#suffixes.has(sni.slice(dot)));
  }

  /** The value of the first router in order whose rule is true, or, without `facts.mqtt`, could be true; or null. Allocates at most one short string. */
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
    // All three lists are in order: merged, the first that matches is the best.
    let name = 0;
    let suffix = 0;
    let other = 0;
    for (;;) {
      let next = byName[name];
      const a = bySuffix[suffix];
      if (a !== undefined && (next === undefined || compare(a, next) < 0)) next = a;
      const b = scan[other];
      if (b !== undefined && (next === undefined || compare(b, next) < 0)) next = b;
      if (next === undefined) return null;
      if (next === b) other++;
      else if (next === a) suffix++;
      else name++;
      if (next.decided) return next.entry.value;
      next.matches ??= compile(next.entry.rule, this.#regexps);
      if (next.matches(facts)) return next.entry.value;
    }
  }
}

function append<T>(index: Map<string, Slot<T>[]>, key: string, slot: Slot<T>): void {
  const slots = index.get(key);
  if (slots === undefined) index.set(key, [slot]);
  // A rule may say a name twice.
  else if (!slots.includes(slot)) insert(slots, slot);
}

function detach<T>(index: Map<string, Slot<T>[]>, key: string, name: string): void {
  const slots = index.get(key);
  if (slots === undefined) return;
  cut(slots, name);
  if (slots.length === 0) index.delete(key);
}

/** Keeps `slots` in order. */
function insert<T>(slots: Slot<T>[], slot: Slot<T>): void {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(slots[middle]!, slot) < 0) low = middle + 1;
    else high = middle;
  }
  slots.splice(low, 0, slot);
}

function cut<T>(slots: Slot<T>[], name: string): void {
  const at = slots.findIndex((slot) => slot.entry.name === name);
  if (at >= 0) slots.splice(at, 1);
}

function eachRegexp(rule: Rule, visit: (source: string) => void): void {
  if ("source" in rule) visit(rule.source);
  else if (rule.kind === "not") eachRegexp(rule.rule, visit);
  else if (rule.kind === "and" || rule.kind === "or") for (const child of rule.rules) eachRegexp(child, visit);
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
export function specificity(rule: Rule): number {
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
  // As nearly all rules are.
  if (rule.kind === "hostSNI") return [rule.name];
  const names = new Set<string>();
  const walk = (part: Rule): void => {
    if (part.kind === "hostSNI") names.add(part.name);
    else if (part.kind === "hostSNIWildcard") names.add(`*${part.suffix}`);
    else if (part.kind === "and" || part.kind === "or") part.rules.forEach(walk);
  };
  walk(rule);
  return [...names];
}
