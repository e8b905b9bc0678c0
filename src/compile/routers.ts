// The routers of a configuration as rows. One that cannot work is off: it keeps its names, and refuses.

import { isIP } from "node:net";
import type { ResolverFacts } from "../acme/facts.ts";
import type { Wanted } from "../acme/plan.ts";
import type { Code } from "../config/codes.ts";
import { type Diagnostics, formatPlace, type Place, type Subject } from "../config/diagnostics.ts";
import type { RouterConfig, TlsOptionsConfig } from "../config/dynamic.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import { bareName, DEFAULT_OPTIONS, qualify, shortName } from "../config/names.ts";
import type { Path } from "../config/source.ts";
import { type MiddlewareRow, STAGES } from "../middlewares/row.ts";
import type { RouterAction, RouterRow, Row } from "../protocol/messages.ts";
import { asksMqtt, type Rule } from "../rules/ast.ts";
import { mayTakeNoName } from "../rules/no-name.ts";
import { defaultPriority, parseRule } from "../rules/parser.ts";
import { ruleNames } from "../rules/table.ts";
import { suggestion } from "../text/spelling.ts";
import type { OpenRouter, WantedNames } from "./certificates.ts";
import { whyNobodyPasses } from "./identity.ts";
import type { Item } from "./merge.ts";
import { tlsConflicts, tlsSettings } from "./mqtt-routers.ts";
import { isOpen } from "./open-server.ts";
import { ordersOf } from "./orders.ts";
import { warnOtherTls } from "./other-tls.ts";
import { suggestReference } from "./references.ts";
import { type ServiceDraft, serversOf } from "./service-graph.ts";
import { type CheckedRouter, warnShadowed } from "./shadows.ts";

export interface RouterInForce {
  readonly name: string;
  readonly entryPoints: readonly string[];
  readonly rule: string;
  readonly action: RouterAction["kind"];
  readonly service: string;
}

export interface RoutersInput {
  readonly routers: ReadonlyMap<string, Item<RouterConfig>>;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  readonly services: ReadonlyMap<string, ServiceDraft>;
  /** TLS options by name, and whether each is sound. */
  readonly options: ReadonlyMap<string, boolean>;
  /** Whether a handshake by those of the first name shows what one by the others would. */
  isSameHandshake(a: string, b: string): boolean;
  /** Those of them that refuse a client for whose name there is no certificate. */
  readonly strict: ReadonlySet<string>;
  /** Those of them that verify clients' certificates. */
  readonly verifying: ReadonlySet<string>;
  /** By name; null is one that is off. */
  readonly middlewares: ReadonlyMap<string, MiddlewareRow | null>;
  readonly resolvers: ReadonlyMap<string, ResolverFacts>;
  /** Where a provider stands in the order that decides between equal priorities, from 0. */
  rankOf(provider: string): number;
  /** The routers in force, by their full names, each with its entry points. */
  readonly former: ReadonlyMap<string, readonly string[]>;
  /** The TLS options called `default` that are in force, and not in this configuration any more. */
  readonly lostDefault: Item<TlsOptionsConfig> | null;
  /** Where a part of the static file stands; null when there is nothing that could hold routers. */
  readonly staticAt: ((...path: Path) => Place) | null;
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

type Fail = (code: Code, place: Place, message: string, because?: Subject) => void;

/** A router whose own configuration is read: what stands in the others may still turn it off. */
interface Draft {
  readonly fullName: string;
  readonly item: Item<RouterConfig>;
  readonly text: string;
  readonly rule: Rule;
  readonly names: readonly string[];
  readonly entryPoints: readonly string[];
  readonly service: string | null;
  readonly action: RouterAction;
  readonly middlewares: readonly string[];
  readonly lacksTls: boolean;
  off: boolean;
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

  constructor(input: RoutersInput, diagnostics: Diagnostics) {
    this.#input = input;
    this.#diagnostics = diagnostics;
  }

  run(): CompiledRouters {
    const drafts: Draft[] = [];
    for (const [name, item] of this.#input.routers) {
      const draft = this.#read(name, bareName(name), item);
      if (draft !== null) drafts.push(draft);
    }
    const conflicts = tlsConflicts(drafts);
    for (const [draft, other] of conflicts) this.#failConflict(draft, other);
    for (const draft of drafts) this.#compile(draft, conflicts.has(draft));
    warnShadowed(this.#checked, this.#diagnostics);
    warnOtherTls(this.#checked, this.#input.isSameHandshake, this.#diagnostics);
    this.#warnUnused();
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
  #read(fullName: string, name: string, item: Item<RouterConfig>): Draft | null {
    const { value: router, at } = item;
    let { off } = item;
    const about: Subject = { kind: "router", name: fullName };
    const fail: Fail = (code, place, message, because) => {
      this.#diagnostics.error(code, place, `the router "${name}" is off: ${message}`, about, because);
      off = true;
    };
    // A router keeps its names while it is off. Where they are not known, others would get what was meant for it.
    const refuse = (code: Code, place: Place, message: string) => {
      this.#diagnostics.error(code, place, `the router "${name}" refuses the load: ${message}`, about);
      this.#refused.add(item.provider);
      return null;
    };
    if (router.rule === undefined || router.rule === "") return refuse("rule-missing", at(), "it has no rule");
    const parsed = parseRule(router.rule);
    if (parsed.kind === "error") {
      return refuse(
        "rule-syntax",
        at("rule"),
        `its rule ${quote(router.rule)}, column ${parsed.column}: ${parsed.message}`,
      );
    }
    const { rule } = parsed;
    const names = ruleNames(rule);
    this.#warnAddresses(about, names, () => at("rule"));
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
    const entryPoints = this.#entryPointsOf(about, router, item);
    if (entryPoints.length === 0) return refuse("router-without-entry-points", at(), "none of its entry points exists");
    // A misspelled one is another one that it loses: there its names would be anybody's.
    const lost = this.#input.former.get(fullName)?.filter((point) => !entryPoints.includes(point)) ?? [];
    if (lost.length > 0 && entryPoints.length < new Set(router.entryPoints).size)
      return refuse(
        "router-without-entry-points",
        at("entryPoints"),
        `it was on ${lost.join(", ")}, and now names an entry point that does not exist instead`,
      );
    const service = this.#serviceOf(router, fail, item);
    const action = this.#actionOf(about, router, fail, item);
    const middlewares = this.#middlewaresOf(router, action, fail, item);
    if (!off && action.kind === "passthrough" && service !== null) this.#warnPlainPassthrough(about, service, at);
    if (!off && service !== null) this.#warnBypass(about, service, middlewares, at);
    if (!off) this.#warnNoCertificate(about, action, middlewares, at);
    if (action.kind === "passthrough" && asksMqtt(rule))
      fail(
        "rule-of-mqtt",
        at("rule"),
        "its rule asks for what is in the CONNECT, and the router passes TLS through, so nobody reads that. Clients that it could match are refused",
      );
    return { fullName, item, text: router.rule, rule, names, entryPoints, service, action, middlewares, lacksTls, off };
  }

  #failConflict(draft: Draft, other: Draft): void {
    const { fullName, item } = draft;
    const nameOther = shortName(other.fullName, item.provider);
    const settings = (of: Draft) => tlsSettings(of.action, item.provider);
    draft.off = true;
    this.#diagnostics.error(
      "rule-of-mqtt-tls",
      item.at("tls"),
      `the router "${bareName(fullName)}" is off: "${nameOther}" differs from it only in what it asks of the CONNECT, which comes after TLS, and has ${settings(other)}, where "${bareName(fullName)}" has ${settings(draft)}. Give both the same TLS settings`,
      { kind: "router", name: fullName },
    );
  }

  #compile(draft: Draft, isConflict: boolean): void {
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

  #offOf({ item, rule, action, lacksTls }: Draft, isConflict: boolean): RouterAction {
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

  #warnUnused(): void {
    const { entryPoints, resolvers, staticAt } = this.#input;
    if (staticAt === null || this.#refused.size > 0) return;
    if (this.#input.routers.size === 0)
      this.#diagnostics.warn(
        "routers-missing",
        staticAt("providers"),
        "there is no router: every connection is refused",
      );
    const used = new Set(this.#rows.flatMap(({ value }) => value.entryPoints));
    const serving = [...entryPoints.values()].filter((point) => !point.admin);
    const answersChallenges = [...resolvers.values()].some((each) => each.tlsChallenge);
    // An authority comes to 443; where nothing listens there, to whichever entry point 443 leads to.
    const hasHttps = serving.some((point) => point.port === HTTPS);
    for (const { name, address, port } of serving) {
      if (used.has(name) || (answersChallenges && (port === HTTPS || !hasHttps))) continue;
      this.#diagnostics.warn(
        "entry-point-unused",
        staticAt("entryPoints", name),
        `no router uses the entry point "${name}": every connection to ${address} is refused. Add a router for it, or remove it`,
        { kind: "entryPoint", name },
      );
    }
  }

  /** RFC 6066, 3: "Literal IPv4 and IPv6 addresses are not permitted" in a server name. OpenSSL sends what it is told, and mosquitto_pub tells. */
  #warnAddresses(about: Subject, names: readonly string[], place: () => Place): void {
    const address = names.find((each) => isIP(each) !== 0);
    if (address === undefined) return;
    this.#diagnostics.warn(
      "rule-of-address",
      place(),
      `the router "${bareName(about.name)}": ${address} is an address, and clients that dial an address ask for no name (RFC 6066), except a few such as mosquitto_pub: use HostSNI(\`*\`) for them`,
      about,
    );
  }

  #entryPointsOf(about: Subject, router: RouterConfig, item: Item<RouterConfig>): string[] {
    const all = [...this.#input.entryPoints.values()];
    const serving = all.filter((point) => !point.admin);
    if (router.entryPoints === undefined || router.entryPoints.length === 0) {
      const defaults = serving.filter((point) => point.asDefault);
      // As in Traefik, the entry point "traefik" serves routers only when they name it.
      const usual = serving.filter((point) => point.name !== "traefik");
      return (defaults.length > 0 ? defaults : usual).map((point) => point.name);
    }
    const found: string[] = [];
    for (const [index, wanted] of router.entryPoints.entries()) {
      const point = this.#input.entryPoints.get(wanted);
      if (point !== undefined && !point.admin) {
        if (!found.includes(wanted)) found.push(wanted);
        continue;
      }
      const why =
        point === undefined
          ? `does not exist${suggestion(
              wanted,
              serving.map((each) => each.name),
            )}`
          : "serves /metrics or /ping, and no routers";
      this.#diagnostics.warn(
        point === undefined ? "entry-point-unknown" : "entry-point-admin",
        item.at("entryPoints", index),
        `the router "${bareName(about.name)}": the entry point "${wanted}" ${why}`,
        about,
      );
    }
    return found;
  }

  #serviceOf(router: RouterConfig, fail: Fail, { at, provider }: Item<unknown>): string | null {
    if (router.service === undefined || router.service === "") {
      fail("service-missing", at(), "it names no service");
      return null;
    }
    const name = qualify(router.service, provider);
    const draft = this.#input.services.get(name);
    if (draft === undefined) {
      fail(
        "service-unknown",
        at("service"),
        `the service "${router.service}" does not exist${suggestReference(router.service, provider, this.#input.services.keys())}`,
      );
      return null;
    }
    if (draft.row === null)
      fail("service-off", at("service"), `the service "${router.service}" is off`, { kind: "service", name });
    return name;
  }

  #actionOf(about: Subject, router: RouterConfig, fail: Fail, { at, provider }: Item<unknown>): RouterAction {
    if (router.tls === undefined) return { kind: "plain" };
    if (router.tls.passthrough) return { kind: "passthrough" };
    const reference = router.tls.options ?? DEFAULT_OPTIONS;
    const isDefault = bareName(qualify(reference, provider)) === DEFAULT_OPTIONS;
    const name = isDefault ? DEFAULT_OPTIONS : qualify(reference, provider);
    if (isDefault) this.#checkDefault(about, at);
    const sound = this.#input.options.get(name);
    if (sound === undefined) {
      fail(
        "options-unknown",
        at("tls", "options"),
        `the TLS option "${reference}" does not exist${suggestReference(reference, provider, this.#input.options.keys())}`,
      );
    } else if (!sound)
      fail("options-off", at("tls"), `the TLS option "${reference}" is broken`, { kind: "tlsOptions", name });
    return { kind: "terminate", options: name };
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

  #middlewaresOf(router: RouterConfig, action: RouterAction, fail: Fail, { at, provider }: Item<unknown>): string[] {
    const found: string[] = [];
    for (const [index, reference] of router.middlewares.entries()) {
      const name = qualify(reference, provider);
      const row = this.#input.middlewares.get(name);
      const wrong = (code: Code, message: string, because?: Subject) =>
        fail(code, at("middlewares", index), `the middleware "${reference}" ${message}`, because);
      if (row === undefined)
        wrong(
          "middleware-unknown",
          `does not exist${suggestReference(reference, provider, this.#input.middlewares.keys())}`,
        );
      else if (row === null) wrong("middleware-off", "is off", { kind: "middleware", name });
      else if (action.kind === "passthrough" && STAGES[row.kind] !== "address")
        wrong("middleware-misplaced", "reads what TLS hides, and the router passes TLS through");
      else {
        const why = row.kind === "mqttIdentity" ? whyNobodyPasses(row, action, this.#input.verifying) : null;
        if (why === null) found.push(name);
        else wrong("identity-impossible", why);
      }
    }
    return found;
  }

  /** Where no certificate is verified, certificateIsEnough is for nobody. */
  #warnNoCertificate(
    about: Subject,
    action: RouterAction,
    middlewares: readonly string[],
    at: Item<unknown>["at"],
  ): void {
    if (action.kind !== "plain" && (action.kind !== "terminate" || this.#input.verifying.has(action.options))) return;
    const name = middlewares.find((each) => {
      const row = this.#input.middlewares.get(each);
      return row?.kind === "mqttAuth" && row.certificateIsEnough;
    });
    if (name === undefined) return;
    const why =
      action.kind === "plain"
        ? "it has no TLS"
        : "its TLS options do not verify clients' certificates: give them clientAuth with caFiles";
    this.#diagnostics.warn(
      "auth-without-certificates",
      at("middlewares"),
      `the router "${bareName(about.name)}" lets nobody in for a certificate, as its middleware "${bareName(name)}" says: ${why}`,
      about,
    );
  }

  /** A broker believes the user name that Sluice gives it, and so that of anyone else who reaches it. */
  #warnBypass(about: Subject, service: string, middlewares: readonly string[], at: Item<unknown>["at"]): void {
    const rows = middlewares.map((name) => this.#input.middlewares.get(name));
    const names = rows.some((row) => row?.kind === "mqttIdentity" && row.username !== null);
    const strips = rows.some((row) => row?.kind === "mqttAuth" && row.stripPassword);
    if (!names && !strips) return;
    const open = serversOf(this.#input.services, service).find(isOpen);
    if (open === undefined) return;
    const does = names
      ? `tells ${open.address} who its clients are`
      : `keeps its clients' passwords from ${open.address}`;
    this.#diagnostics.warn(
      "identity-bypass",
      at("service"),
      `the router "${bareName(about.name)}" ${does}, and that server seems to be reached over a public network without TLS: whoever reaches it can say any user name. Let it listen for Sluice alone, or dial it by TLS`,
      about,
    );
  }

  /** TLS that is passed through to the plain port cannot work: the broker would read a ClientHello as MQTT. */
  #warnPlainPassthrough(about: Subject, service: string, at: Item<unknown>["at"]): void {
    const plain = serversOf(this.#input.services, service).find((server) => server.port === 1883 && !server.tls);
    if (plain === undefined) return;
    this.#diagnostics.warn(
      "passthrough-to-plain",
      at("tls", "passthrough"),
      `the router "${bareName(about.name)}" passes TLS through to ${plain.address}, and 1883 is the port of plain MQTT: no client can connect. Drop "passthrough: true" to terminate TLS here`,
      about,
    );
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

const HTTPS = 443;
