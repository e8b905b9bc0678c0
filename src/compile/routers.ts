// The routers of a configuration as rows. One that cannot work is off: it keeps its names, and refuses.

import type { Wanted } from "../acme/plan.ts";
import type { Code } from "../config/codes.ts";
import { type Diagnostics, formatPlace, type Place, type Subject } from "../config/diagnostics.ts";
import { livePolicy } from "../config/live.ts";
import { bareName, DEFAULT_OPTIONS, shortName } from "../config/names.ts";
import type { RouterConfig } from "../config/router.ts";
import type { TlsOptionsConfig } from "../config/tls-options.ts";
import type { RouterAction, RouterRow, Row } from "../protocol/messages.ts";
import { asksMqtt, type Rule } from "../rules/ast.ts";
import { mayTakeNoName } from "../rules/no-name.ts";
import { defaultPriority, parseRule } from "../rules/parser.ts";
import { ruleNames } from "../rules/table.ts";
import { checkBalancing, type Wish, wishesOf } from "./balancing.ts";
import type { OpenRouter, WantedNames } from "./certificates.ts";
import type { Item } from "./merge.ts";
import { tlsConflicts, tlsSettings } from "./mqtt-routers.ts";
import { ordersOf } from "./orders.ts";
import { warnOtherTls } from "./other-tls.ts";
import type { Fail, RouterDraft, RoutersInput } from "./router-draft.ts";
import { actionOf, entryPointsOf, middlewaresOf, serviceOf } from "./router-references.ts";
import { warnAddresses, warnOddities, warnUnused } from "./router-warnings.ts";
import { type CheckedRouter, warnShadowed } from "./shadows.ts";

export interface RouterInForce {
  readonly name: string;
  readonly entryPoints: readonly string[];
  readonly rule: string;
  readonly action: RouterAction["kind"];
  readonly service: string;
}

export interface CompiledRouters {
  readonly rows: readonly (Row & { readonly kind: "router" })[];
  readonly inForce: readonly RouterInForce[];
  readonly wanted: WantedNames;
  /** Providers with a router whose names are not known. */
  readonly refused: ReadonlySet<string>;
}

export function compileRouters(input: RoutersInput, diagnostics: Diagnostics): CompiledRouters {
  return new RouterCompiler(input, diagnostics).run();
}

class RouterCompiler {
  readonly #input: RoutersInput;
  readonly #diagnostics: Diagnostics;
  readonly #rows: (Row & { readonly kind: "router" })[] = [];
  readonly #inForce: RouterInForce[] = [];
  /** Names that routers terminate, with the first router that does, and whether one terminates any name. */
  readonly #terminated = new Map<string, string | null>();
  #catchAll = false;
  readonly #openTo = new Map<string, OpenRouter>();
  /** Those that show the default certificate to clients without SNI. */
  readonly #namelessTo = new Map<string, OpenRouter>();
  readonly #checked: CheckedRouter[] = [];
  readonly #orders: Wanted[] = [];
  readonly #refused = new Set<string>();
  /** By service: many routers may have the same. */
  readonly #wishes = new Map<string, readonly Wish[]>();

  constructor(input: RoutersInput, diagnostics: Diagnostics) {
    this.#input = input;
    this.#diagnostics = diagnostics;
  }

  run(): CompiledRouters {
    const drafts: RouterDraft[] = [];
    for (const [name, item] of this.#input.routers) {
      const draft = this.#read(name, bareName(name), item);
      if (draft !== null) drafts.push(draft);
    }
    const conflicts = tlsConflicts(drafts);
    for (const [draft, other] of conflicts) this.#failConflict(draft, other);
    for (const draft of drafts) this.#compile(draft, conflicts.has(draft));
    warnShadowed(this.#checked, this.#diagnostics);
    warnOtherTls(this.#checked, this.#input.isSameHandshake, this.#diagnostics);
    if (this.#refused.size === 0)
      warnUnused(new Set(this.#rows.flatMap(({ value }) => value.entryPoints)), this.#input, this.#diagnostics);
    const wanted = {
      terminated: this.#terminated,
      // Of one that is not known it cannot be said that it does not want a certificate.
      catchAll: this.#catchAll || this.#refused.size > 0,
      open: [...new Set(this.#openTo.values())],
      nameless: [...new Set(this.#namelessTo.values())],
      orders: this.#orders,
    };
    return { rows: this.#rows, inForce: this.#inForce, wanted, refused: this.#refused };
  }

  /** `name` is how messages call it, which stand beside its place. null: the load is refused. */
  #read(fullName: string, name: string, item: Item<RouterConfig>): RouterDraft | null {
    const { value: router, at } = item;
    let { off } = item;
    const about: Subject = { kind: "router", name: fullName };
    const fail: Fail = (code, place, message, because) => {
      const text = () => `the router "${name}" is off: ${typeof message === "string" ? message : message()}`;
      this.#diagnostics.error(code, place, text, about, because);
      off = true;
    };
    // A router keeps its names while it is off. Where they are not known, others would get what was meant for it.
    const refuse = (code: Code, place: Place | (() => Place), message: string) => {
      this.#diagnostics.error(code, place, `the router "${name}" refuses the load: ${message}`, about);
      this.#refused.add(item.provider);
      return null;
    };
    if (router.rule === undefined || router.rule === "") return refuse("rule-missing", () => at(), "it has no rule");
    const parsed = parseRule(router.rule);
    if (parsed.kind === "error") {
      return refuse(
        "rule-syntax",
        () => at("rule"),
        `its rule ${quote(router.rule)}, column ${parsed.column}: ${parsed.message}`,
      );
    }
    const { rule } = parsed;
    const names = ruleNames(rule);
    warnAddresses(about, names, () => at("rule"), this.#diagnostics);
    if (router.ruleSyntax === "v2")
      return refuse(
        "rule-syntax",
        at("ruleSyntax"),
        "rules of Traefik v2 are not read by Sluice: write the rule in v3 syntax (one value for each matcher, and regular expressions in place of {name:...}) and drop ruleSyntax",
      );
    const lacksTls = router.tls === undefined && names.length > 0;
    if (lacksTls)
      fail(
        "rule-without-tls",
        at("rule"),
        "HostSNI needs TLS, and the router has no tls section (add  tls: {}  to terminate TLS, or use HostSNI(`*`))",
      );
    const entryPoints = entryPointsOf(about, item, this.#input, this.#diagnostics);
    if (entryPoints.length === 0) return refuse("router-without-entry-points", at(), "none of its entry points exists");
    // A misspelled one is another one that it loses: there its names would be anybody's.
    const lost = this.#input.former.get(fullName)?.filter((point) => !entryPoints.includes(point)) ?? [];
    if (lost.length > 0 && entryPoints.length < new Set(router.entryPoints).size)
      return refuse(
        "router-without-entry-points",
        at("entryPoints"),
        `it was on ${lost.join(", ")}, and now names an entry point that does not exist instead`,
      );
    const service = serviceOf(item, this.#input, fail);
    const action = actionOf(item, this.#input, fail);
    if (action.kind === "terminate" && action.options === DEFAULT_OPTIONS) this.#checkDefault(about, at);
    const middlewares = middlewaresOf(item, action, this.#input, fail);
    if (service !== null) {
      const { verifying } = this.#input;
      checkBalancing(item, about, action, this.#wishesOf(service), verifying, fail, this.#diagnostics);
    }
    const draft = {
      fullName,
      item,
      text: router.rule,
      rule,
      names,
      entryPoints,
      service,
      action,
      middlewares,
      lacksTls,
    };
    if (!off) warnOddities(draft, this.#input, this.#diagnostics);
    if (action.kind === "passthrough" && asksMqtt(rule))
      fail(
        "rule-of-mqtt",
        () => at("rule"),
        "its rule asks for what is in the CONNECT, and the router passes TLS through, so nobody reads that. Clients that it could match are refused",
      );
    return { ...draft, off };
  }

  #wishesOf(service: string): readonly Wish[] {
    let wishes = this.#wishes.get(service);
    if (wishes === undefined) this.#wishes.set(service, (wishes = wishesOf(this.#input.services, service)));
    return wishes;
  }

  #failConflict(draft: RouterDraft, other: RouterDraft): void {
    const { fullName, item } = draft;
    const nameOther = shortName(other.fullName, item.provider);
    const settings = (of: RouterDraft) => tlsSettings(of.action, item.provider);
    draft.off = true;
    this.#diagnostics.error(
      "rule-of-mqtt-tls",
      () => item.at("tls"),
      `the router "${bareName(fullName)}" is off: "${nameOther}" differs from it only in what it asks of the CONNECT, which comes after TLS, and has ${settings(other)}, where "${bareName(fullName)}" has ${settings(draft)}. Give both the same TLS settings`,
      { kind: "router", name: fullName },
    );
  }

  #compile(draft: RouterDraft, isConflict: boolean): void {
    const { fullName, item, rule, names, entryPoints, service, action, off } = draft;
    const { value: router, at } = item;
    if (action.kind === "terminate") {
      // Of a router that is off another message tells; its names keep their certificates.
      for (const each of names) {
        const known = this.#terminated.get(each);
        if (known === undefined || (known === null && !off)) this.#terminated.set(each, off ? null : fullName);
      }
      if (names.length === 0) {
        this.#catchAll = true;
        if (!off) this.#noteOpen(this.#openTo, fullName, entryPoints);
        if (!off && !this.#input.strict.has(action.options)) this.#noteNameless(fullName, entryPoints, rule);
      }
    }
    if (!off) this.#orders.push(...ordersOf(fullName, item, names, action, this.#input.resolvers, this.#diagnostics));
    const rank = this.#input.rankOf(item.provider);
    const effective = off ? this.#offOf(draft, isConflict) : action;
    const value: RouterRow = {
      entryPoints,
      rule,
      priority: router.priority === 0 ? defaultPriority(draft.text, rule) : router.priority,
      ...(rank === 0 ? {} : { rank }),
      action: effective,
      middlewares: draft.middlewares,
      service: service ?? "",
      ...(router.onRemove !== undefined && { onRemove: livePolicy(router.onRemove) }),
    };
    this.#rows.push({ kind: "router", name: fullName, value });
    this.#checked.push({ name: fullName, row: value, place: () => at("rule") });
    this.#inForce.push({
      name: fullName,
      entryPoints,
      rule: draft.text,
      action: effective.kind,
      service: value.service,
    });
  }

  #offOf({ item, rule, action, lacksTls }: RouterDraft, isConflict: boolean): RouterAction {
    const off = { kind: "off", tls: lacksTls || item.value.tls !== undefined } as const;
    const isSure = action.kind === "terminate" && !isConflict && this.#input.options.get(action.options) === true;
    return isSure && asksMqtt(rule) ? { ...off, options: action.options } : off;
  }

  /** One router for each entry point is enough for a warning. */
  #noteOpen(into: Map<string, OpenRouter>, router: string, entryPoints: readonly string[]): void {
    const first = entryPoints.filter((point) => !into.has(point));
    const open = { router, addresses: first.map((point) => this.#input.entryPoints.get(point)!.address) };
    for (const point of first) into.set(point, open);
  }

  #noteNameless(router: string, entryPoints: readonly string[], rule: Rule): void {
    if (entryPoints.every((point) => this.#namelessTo.has(point)) || !mayTakeNoName(rule)) return;
    this.#noteOpen(this.#namelessTo, router, entryPoints);
  }

  /** Nobody names these options, so nobody misses them when they are misspelled, and their routers would ask for less than before. */
  #checkDefault(about: Subject, at: Item<unknown>["at"]): void {
    const { lostDefault } = this.#input;
    if (lostDefault === null || asksNothing(lostDefault.value) || this.#refused.has(lostDefault.provider)) return;
    this.#diagnostics.error(
      "default-options-gone",
      at("tls"),
      `the router "${bareName(about.name)}" refuses the load: it has the TLS options called default, which are gone (they were in ${formatPlace(lostDefault.at())}). If nothing more shall be asked of clients, write  tls: { options: { default: {} } }`,
      about,
    );
    this.#refused.add(lostDefault.provider);
  }
}

/** Whether options are those that hold without any. */
function asksNothing(options: TlsOptionsConfig): boolean {
  return Object.values(options).every((each) => each === undefined || each === false);
}

/** A rule as it is shown in a message: on one line, and not the whole of a long one. */
function quote(rule: string): string {
  return JSON.stringify(rule.length <= MAX_SHOWN ? rule : `${rule.slice(0, MAX_SHOWN)}...`);
}

const MAX_SHOWN = 200;
