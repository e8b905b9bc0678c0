// Routers that never get a connection, or never get some of their names, because routers that are asked before them take it all.
// What is told of is sure. Whatever the configuration, the cost is bounded: names are looked up, of rules without names only so many
// are compared, and all comparing together takes only so many steps.

import type { Diagnostics, Place } from "../config/diagnostics.ts";
import { bareName, shortName } from "../config/names.ts";
import { isForPlain, type RouterRow } from "../protocol/messages.ts";
import { isMqtt } from "../rules/ast.ts";
import { type Alternative, alternativeImplies, alternativesOf, Comparison, suffixOf } from "../rules/implies.ts";
import { compile as compileRule } from "../rules/matchers.ts";
import { orderRoutes } from "../rules/table.ts";
import type { Re2 } from "../text/re2.ts";

/** Alternatives of one name, or without a name, with which one more is compared. */
const MAX_COMPARED = 50;
/** Comparisons of one load with alternatives that have no name: about a second, when all of them are regexps. */
const MAX_COMPARISONS = 500_000;
/** Routers that are told of one by one: a catch-all that is asked first can have all of them behind it. */
const MAX_WARNINGS = 100;
/** Names that one warning says. */
const MAX_SHOWN = 3;

export interface CheckedRouter {
  /** The full one. */
  readonly name: string;
  readonly row: RouterRow;
  place(): Place;
}

/** Warns of routers, and of names of routers, that no connection reaches; at most once for each router, and of the last ones together. */
export function warnShadowed(routers: readonly CheckedRouter[], diagnostics: Diagnostics): void {
  const comparison = new Comparison();
  const [tls, plain] = [new Taken(comparison), new Taken(comparison)];
  let found = 0;
  let last: CheckedRouter | null = null;
  const entries = routers.map((value) => ({
    name: value.name,
    rule: value.row.rule,
    priority: value.row.priority,
    rank: value.row.rank,
    value,
  }));
  for (const { value: router } of orderRoutes(entries)) {
    const isPlain = isForPlain(router.row.action);
    const taken = isPlain ? plain : tls;
    const alternatives = alternativesOf(router.row.rule, comparison);
    if (alternatives === null) continue;
    const possible = isPlain ? alternatives.filter((each) => isPossiblePlain(each, comparison.regexps)) : alternatives;
    const message = router.row.action.kind === "off" ? null : check(router, possible, alternatives.length, taken);
    if (message !== null && ++found <= MAX_WARNINGS)
      diagnostics.warn(
        "router-shadowed",
        router.place(),
        `the router "${bareName(router.name)}" never gets ${message}`,
        {
          kind: "router",
          name: router.name,
        },
      );
    else if (message !== null) last = router;
    for (const each of possible) taken.add(each, router);
  }
  if (last !== null)
    diagnostics.warn(
      "router-shadowed",
      last.place(),
      `${found - MAX_WARNINGS} more routers never get a connection, or some of their names; this is the last of them`,
    );
}

function check(router: CheckedRouter, possible: Alternative[], before: number, taken: Taken): string | null {
  if (possible.length === 0)
    return before === 0
      ? 'a connection: its rule asks for what cannot be true at once, such as two names (join them with "||")'
      : "a connection: without TLS a client gives neither a server name nor ALPN (add  tls: {}  to terminate TLS)";
  const parts = possible.map((each) => ({ name: nameOf(each), by: taken.takersOf(each, router.row.entryPoints) }));
  if (parts.every(({ by }) => by === null)) return null;
  const isReached = parts.some(({ by }) => by === null);
  const reached = new Set(parts.filter(({ by }) => by === null).map(({ name }) => name));
  // One of which nothing is reached loses all; another one the names of which nothing is.
  const lost = isReached ? parts.filter(({ name }) => name !== null && !reached.has(name)) : parts;
  if (lost.length === 0) return null;
  const takers = [...new Set(lost.flatMap(({ by }) => by ?? []))];
  if (!isReached) return `a connection: ${describe(router, takers, `all that "${bareName(router.name)}" would match`)}`;
  const names = [...new Set(lost.map(({ name }) => name!))];
  return `${list(names)}: ${describe(router, takers, names.length === 1 ? "it" : "them")}`;
}

/** Who takes it, why they go first, and how to mend it. */
function describe(router: CheckedRouter, takers: readonly CheckedRouter[], what: string): string {
  const { row } = router;
  const name = bareName(router.name);
  const provider = router.name.slice(name.length + 1);
  const nameOf = (each: CheckedRouter) => `"${shortName(each.name, provider)}"`;
  const one = takers.length === 1;
  const first = `${list(takers.map(nameOf))} ${one ? "is" : "are"} asked first and match${one ? "es" : ""} ${what}`;
  const off = takers.find((each) => each.row.action.kind === "off");
  if (off !== undefined)
    return `${first}, but ${nameOf(off)} is off and refuses its clients. Mend ${nameOf(off)}, or remove it`;
  const other = one ? takers[0]!.row.priority : null;
  const why =
    other === row.priority
      ? `both have priority ${other}, and then ${takers[0]!.row.rank === row.rank ? "the more exact rule and the name decide" : "the order of the providers decides"}`
      : other === null
        ? `the priority of "${name}" is ${row.priority}`
        : `its priority is ${other}, and that of "${name}" is ${row.priority}`;
  return `${first} (${why}). Give "${name}" a higher priority, or remove what is double`;
}

function list(items: readonly string[]): string {
  const shown = items.slice(0, MAX_SHOWN);
  if (items.length > MAX_SHOWN) return `${shown.join(", ")} and ${items.length - MAX_SHOWN} more`;
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** The name that an alternative is bound to, a wildcard as "*.d". */
function nameOf(alternative: Alternative): string | null {
  let suffix: string | null = null;
  for (const { leaf, negated } of alternative) {
    if (negated) continue;
    if (leaf.kind === "hostSNI") return leaf.name;
    if (leaf.kind === "hostSNIWildcard") suffix = leaf.suffix;
  }
  return suffix === null ? null : `*${suffix}`;
}

/** Without TLS there is no name and no ALPN. */
function isPossiblePlain(alternative: Alternative, regexps: Map<string, Re2>): boolean {
  return alternative.every(
    ({ leaf, negated }) =>
      leaf.kind === "clientIP" ||
      isMqtt(leaf) ||
      compileRule(leaf, regexps)({ sni: "", alpn: [], address: null, mqtt: null }) !== negated,
  );
}

interface Claim {
  readonly alternative: Alternative;
  readonly router: CheckedRouter;
}

const NONE: readonly Claim[] = [];

/** What routers match that are asked earlier. */
class Taken {
  readonly #comparison: Comparison;
  readonly #names = new Map<string, Claim[]>();
  /** Wildcards, by what stands behind the star. */
  readonly #suffixes = new Map<string, Claim[]>();
  /** Those that match everything. */
  readonly #all: Claim[] = [];
  /** The first of those that have no name, and all of them by their text. */
  readonly #others: Claim[] = [];
  readonly #equal = new Map<string, Claim[]>();
  #left = MAX_COMPARISONS;

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
  }

  add(alternative: Alternative, router: CheckedRouter): void {
    const claim = { alternative, router };
    const name = nameOf(alternative);
    if (alternative.length === 0) keep(this.#all, claim);
    else if (name === null) {
      keep(this.#others, claim);
      keepUnder(this.#equal, JSON.stringify(alternative), claim);
    } else if (name.startsWith("*")) keepUnder(this.#suffixes, name.slice(1), claim);
    else keepUnder(this.#names, name, claim);
  }

  /** Routers that together take all of it on each of the entry points; null where a connection may get past them. */
  takersOf(alternative: Alternative, entryPoints: readonly string[]): CheckedRouter[] | null {
    const name = nameOf(alternative);
    const isWildcard = name?.startsWith("*") === true;
    const suffix = name === null ? null : isWildcard ? name.slice(1) : suffixOf(name);
    const equal = name === null && alternative.length > 0 ? this.#equal.get(JSON.stringify(alternative)) : undefined;
    const candidates = [
      (name !== null && !isWildcard && this.#names.get(name)) || NONE,
      (suffix !== null && this.#suffixes.get(suffix)) || NONE,
      this.#all,
      equal ?? NONE,
    ];
    if (this.#others.length === 0 && candidates.every((claims) => claims.length === 0)) return null;
    const takers: CheckedRouter[] = [];
    let open = entryPoints;
    const ask = ({ alternative: wider, router }: Claim): boolean => {
      if (!open.some((point) => router.row.entryPoints.includes(point))) return false;
      if (!alternativeImplies(alternative, wider, this.#comparison)) return false;
      open = open.filter((point) => !router.row.entryPoints.includes(point));
      takers.push(router);
      return open.length === 0;
    };
    for (const claims of candidates) for (const claim of claims) if (ask(claim)) return takers;
    for (const claim of this.#others) if (--this.#left < 0 || ask(claim)) break;
    return open.length === 0 ? takers : null;
  }
}

function keep(claims: Claim[], claim: Claim): void {
  if (claims.length < MAX_COMPARED) claims.push(claim);
}

function keepUnder(index: Map<string, Claim[]>, key: string, claim: Claim): void {
  const claims = index.get(key);
  if (claims === undefined) index.set(key, [claim]);
  else keep(claims, claim);
}
