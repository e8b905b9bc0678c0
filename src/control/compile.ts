// A merged configuration as the rows of a snapshot, with everything checked that can be checked before a client comes: options,
// services and routers here, certificates in compile-certificates.ts.

import { isIP } from "node:net";
import type { Wanted } from "../certs/acme/manager.ts";
import type { StoredCertificate } from "../certs/acme/storage.ts";
import type { RevocationList } from "../certs/crl.ts";
import type { CertificateFiles } from "../certs/files.ts";
import { type Diagnostics, type Place, suggestion } from "../config/diagnostics.ts";
import type { RouterConfig } from "../config/dynamic.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { Path } from "../config/source.ts";
import { type TransportConfig, transport } from "../config/transport.ts";
import { defaultPriority, parseRule } from "../rules/parser.ts";
import { isCatchAll, ruleNames } from "../rules/table.ts";
import { compileOptions, DEFAULT_OPTIONS } from "../tls/options.ts";
import type { Server } from "../upstream/service.ts";
import { type CertificateInUse, compileCertificates } from "./compile-certificates.ts";
import {
  compileService,
  compileTransport,
  findCycle,
  findTooLarge,
  MAX_TARGETS,
  type ServiceDraft,
  suggestReference,
} from "./compile-services.ts";
import type { Item, Merged } from "./merge.ts";
import { type RouterAction, type Row, rowKey } from "./messages.ts";

export interface RouterInForce {
  readonly name: string;
  readonly entryPoints: readonly string[];
  readonly rule: string;
  readonly action: RouterAction["kind"];
  readonly service: string;
}

export interface Compiled {
  readonly rows: ReadonlyMap<string, Row>;
  readonly certificates: readonly CertificateInUse[];
  readonly routers: readonly RouterInForce[];
  readonly revocations: readonly RevocationsInForce[];
  /** Certificates that resolvers are to obtain and to keep. */
  readonly orders: readonly Wanted[];
}

/** The revocation lists that TLS options use. Times in milliseconds since the epoch. */
export interface RevocationsInForce {
  readonly options: string;
  readonly thisUpdate: number;
  /** null: none of the lists says when it ends. */
  readonly nextUpdate: number | null;
  /** When each of them ends that says so. */
  readonly ends: readonly number[];
}

export interface CompileInput {
  readonly merged: Merged;
  readonly files: CertificateFiles;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  /** tcpServersTransport of the static file, and where it stands. */
  readonly defaultTransport: { readonly value: TransportConfig; at(...path: Path): Place } | null;
  /** Serves where no configured certificate does; made anew at each start. null when nothing will be served. */
  readonly selfSigned: { readonly cert: string; readonly key: string } | null;
  readonly provider: string;
  readonly now: number;
  /** The certificate resolvers, by name, and what they have obtained so far. */
  readonly acme: AcmeInput;
}

export interface AcmeInput {
  /** Whether each can prove a wildcard, which only DNS can. */
  readonly resolvers: ReadonlyMap<string, { readonly wildcards: boolean }>;
  readonly stored: readonly StoredCertificate[];
}

export const NO_ACME: AcmeInput = { resolvers: new Map(), stored: [] };

/** Compiles everything that is sound; what is not is a diagnostic, and what depends on it is off. */
export function compile(input: CompileInput, diagnostics: Diagnostics): Compiled {
  return new Compiler(input, diagnostics).run();
}

class Compiler {
  readonly #input: CompileInput;
  readonly #diagnostics: Diagnostics;
  readonly #rows = new Map<string, Row>();
  readonly #routers: RouterInForce[] = [];
  readonly #revocations: RevocationsInForce[] = [];
  readonly #options = new Map<string, boolean>();
  readonly #services = new Map<string, ServiceDraft>();
  /** Names that routers terminate, with the first router that does, and whether one terminates any name. */
  readonly #terminated = new Map<string, string>();
  #catchAll = false;
  readonly #orders: Wanted[] = [];

  constructor(input: CompileInput, diagnostics: Diagnostics) {
    this.#input = input;
    this.#diagnostics = diagnostics;
  }

  run(): Compiled {
    this.#compileOptions();
    this.#compileServices();
    for (const [name, item] of this.#input.merged.routers) this.#compileRouter(name, item);
    const { merged, files, selfSigned, now } = this.#input;
    const { acme } = this.#input;
    const wanted = { terminated: this.#terminated, catchAll: this.#catchAll, orders: this.#orders };
    const certificates = compileCertificates(merged, files, selfSigned, wanted, acme.stored, now, this.#diagnostics);
    for (const row of certificates.rows) this.#put(row);
    return {
      rows: this.#rows,
      certificates: certificates.inUse,
      routers: this.#routers,
      revocations: this.#revocations,
      orders: certificates.orders,
    };
  }

  #put(row: Row): void {
    this.#rows.set(rowKey(row), row);
  }

  /** `x` and `x@file` as the name under which it is kept; null when another provider is meant. */
  #qualify(reference: string): string | null {
    const at = reference.indexOf("@");
    if (at < 0) return reference;
    return reference.slice(at + 1).toLowerCase() === this.#input.provider ? reference.slice(0, at) : null;
  }

  #compileOptions(): void {
    for (const [name, item] of this.#input.merged.options) {
      const { options, problems } = compileOptions(item.value, this.#input.files);
      for (const problem of problems) {
        const place = item.at(...problem.path);
        const message = `the TLS option "${name}": ${problem.message}`;
        if (problem.severity === "warning") this.#diagnostics.warn(place, message);
        else this.#diagnostics.error(place, message);
      }
      if (options?.revoked) this.#noteRevocations(name, options.revoked);
      const sound = options !== null && !item.off;
      this.#options.set(name, sound);
      if (sound) this.#put({ kind: "options", name, value: options });
    }
    if (!this.#options.has("default")) {
      this.#options.set("default", true);
      this.#put({ kind: "options", name: "default", value: DEFAULT_OPTIONS });
    }
  }

  /** The oldest of the lists, and the one that ends first, are the ones to watch. */
  #noteRevocations(name: string, lists: readonly RevocationList[]): void {
    if (lists.length === 0) return;
    const ends = lists.map((list) => list.nextUpdate).filter((end) => end !== null);
    this.#revocations.push({
      options: name,
      thisUpdate: Math.min(...lists.map((list) => list.thisUpdate)),
      nextUpdate: ends.length === 0 ? null : Math.min(...ends),
      ends,
    });
  }

  #compileServices(): void {
    const { merged, files, defaultTransport } = this.#input;
    const fallback = compileTransport(
      defaultTransport?.value ?? transport.parse({}),
      defaultTransport?.at ?? (() => NOWHERE),
      files,
      this.#diagnostics,
      "tcpServersTransport",
    );
    const transports = new Map<string, ReturnType<typeof compileTransport>>();
    for (const [name, item] of merged.transports) {
      const compiled = compileTransport(
        item.value,
        item.at,
        files,
        this.#diagnostics,
        `the serversTransport "${name}"`,
      );
      transports.set(name, item.off ? null : compiled);
    }
    for (const [name, item] of merged.services) {
      const transportOf = (reference: string | undefined) => {
        if (reference === undefined) return fallback;
        const qualified = this.#qualify(reference);
        return qualified === null ? undefined : transports.get(qualified);
      };
      this.#services.set(
        name,
        compileService(
          name,
          item,
          transportOf,
          merged.transports.keys(),
          (reference) => this.#qualify(reference),
          this.#diagnostics,
        ),
      );
    }
    // A service is only as sound as those it is made of.
    const cycle = findCycle(this.#services);
    for (const name of cycle) {
      this.#diagnostics.error(merged.services.get(name)!.at(), `the service "${name}" contains itself`);
      this.#services.set(name, { row: null });
    }
    for (const name of findTooLarge(this.#services)) {
      this.#diagnostics.error(
        merged.services.get(name)!.at(),
        `the service "${name}" has more than ${MAX_TARGETS} servers`,
      );
      this.#services.set(name, { row: null });
    }
    for (const [name, draft] of this.#services) {
      if (draft.row?.kind === "weighted") {
        for (const child of draft.row.services) {
          if (this.#services.get(child.name)?.row) continue;
          this.#diagnostics.error(
            merged.services.get(name)!.at(),
            `the service "${name}" uses "${child.name}", which ${this.#services.has(child.name) ? "is off" : "does not exist"}`,
          );
        }
      }
      if (draft.row !== null) this.#put({ kind: "service", name, value: draft.row });
    }
  }

  #compileRouter(name: string, item: Item<RouterConfig>): void {
    const { value: router, at } = item;
    let { off } = item;
    const fail = (place: Place, message: string) => {
      this.#diagnostics.error(place, `the router "${name}" is off: ${message}`);
      off = true;
    };
    if (router.rule === undefined || router.rule === "") return fail(at(), "it has no rule");
    const parsed = parseRule(router.rule);
    if (parsed.kind === "error") {
      return fail(at("rule"), `its rule ${quote(router.rule)}, column ${parsed.column}: ${parsed.message}`);
    }
    const { rule } = parsed;
    const names = ruleNames(rule);
    if (router.ruleSyntax === "v2")
      fail(
        at("ruleSyntax"),
        "rules of Traefik v2 are not read by Sluice: write the rule in v3 syntax and drop ruleSyntax",
      );
    const lacksTls = router.tls === undefined && names.length > 0;
    if (lacksTls)
      fail(
        at("rule"),
        "HostSNI needs TLS, and the router has no tls section (add  tls: {}  to terminate TLS, or use HostSNI(`*`))",
      );
    const entryPoints = this.#entryPointsOf(name, router, item);
    if (entryPoints.length === 0) return fail(at(), "none of its entry points exists");
    const service = this.#serviceOf(router, fail, at);
    const action = this.#actionOf(router, fail, at);
    if (!off && action.kind === "passthrough" && service !== null) this.#warnPlainPassthrough(name, service, at);
    if (action.kind === "terminate") {
      for (const each of names) if (!this.#terminated.has(each)) this.#terminated.set(each, name);
      if (names.length === 0) this.#catchAll = true;
    }
    if (isCatchAll(rule) && action.kind === "terminate") this.#catchAll = true;
    if (!off) this.#order(name, router, names, action, at);
    const effective: RouterAction = off ? { kind: "off", tls: lacksTls || router.tls !== undefined } : action;
    const value = {
      entryPoints,
      rule,
      priority: router.priority === 0 ? defaultPriority(router.rule, rule) : router.priority,
      action: effective,
      service: service ?? "",
    };
    this.#put({ kind: "router", name: `${name}@${item.provider}`, value });
    this.#routers.push({
      name: `${name}@${item.provider}`,
      entryPoints,
      rule: router.rule,
      action: effective.kind,
      service: value.service,
    });
  }

  #entryPointsOf(name: string, router: RouterConfig, item: Item<RouterConfig>): string[] {
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
      this.#diagnostics.warn(item.at("entryPoints", index), `the router "${name}": the entry point "${wanted}" ${why}`);
    }
    return found;
  }

  #serviceOf(
    router: RouterConfig,
    fail: (place: Place, message: string) => void,
    at: Item<unknown>["at"],
  ): string | null {
    if (router.service === undefined || router.service === "") {
      fail(at(), "it names no service");
      return null;
    }
    const name = this.#qualify(router.service);
    const draft = name === null ? undefined : this.#services.get(name);
    if (name === null || draft === undefined) {
      fail(
        at("service"),
        `the service "${router.service}" does not exist${suggestReference(router.service, this.#services.keys())}`,
      );
      return null;
    }
    if (draft.row === null) fail(at("service"), `the service "${router.service}" is off`);
    return name;
  }

  #actionOf(
    router: RouterConfig,
    fail: (place: Place, message: string) => void,
    at: Item<unknown>["at"],
  ): RouterAction {
    if (router.tls === undefined) return { kind: "plain" };
    if (router.tls.passthrough) return { kind: "passthrough" };
    const reference = router.tls.options ?? "default";
    const name = this.#qualify(reference);
    const sound = name === null ? undefined : this.#options.get(name);
    if (name === null || sound === undefined) {
      fail(
        at("tls", "options"),
        `the TLS option "${reference}" does not exist${suggestReference(reference, this.#options.keys())}`,
      );
    } else if (!sound) fail(at("tls"), `the TLS option "${reference}" is broken`);
    return { kind: "terminate", options: name ?? reference };
  }

  /** What a router's resolver is to obtain: one certificate for its names, or one for each of tls.domains. */
  #order(name: string, router: RouterConfig, names: string[], action: RouterAction, at: Item<unknown>["at"]): void {
    const reference = router.tls?.certResolver;
    if (reference === undefined) return;
    const place = at("tls", "certResolver");
    const { resolvers } = this.#input.acme;
    const resolver = resolvers.get(reference);
    if (resolver === undefined) {
      const meant = suggestion(reference, resolvers.keys());
      this.#diagnostics.error(place, `the router "${name}": the resolver "${reference}" does not exist${meant}`);
      return;
    }
    if (action.kind !== "terminate") {
      this.#diagnostics.warn(place, `the router "${name}" passes TLS through, so its certResolver has no effect`);
      return;
    }
    const { domains } = router.tls!;
    const wanted = domains.length === 0 ? [names] : domains.map(({ main, sans }) => [main, ...sans]);
    for (const list of wanted) {
      const order = [...new Set(list.map((each) => each.toLowerCase().replace(/\.$/, "")))];
      const problem = problemOfOrder(order, resolver.wildcards);
      if (problem === null) this.#orders.push({ resolver: reference, names: order, router: name });
      else this.#diagnostics.error(place, `the router "${name}": the resolver "${reference}" ${problem}`);
    }
  }

  /** TLS that is passed through to the plain port cannot work: the broker would read a ClientHello as MQTT. */
  #warnPlainPassthrough(name: string, service: string, at: Item<unknown>["at"]): void {
    const plain = this.#serversOf(service).find((server) => server.port === 1883 && !server.tls);
    if (plain === undefined) return;
    this.#diagnostics.warn(
      at("tls", "passthrough"),
      `the router "${name}" passes TLS through to ${plain.address}, and 1883 is the port of plain MQTT: no client can connect. Drop "passthrough: true" to terminate TLS here`,
    );
  }

  /** The servers of a service and of all that it is made of. */
  #serversOf(service: string, seen = new Set<string>()): Server[] {
    if (seen.has(service)) return [];
    seen.add(service);
    const row = this.#services.get(service)?.row;
    if (row?.kind === "weighted") return row.services.flatMap((child) => this.#serversOf(child.name, seen));
    return row?.kind === "loadBalancer" ? [...row.servers] : [];
  }
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

/** A rule as it is shown in a message: on one line, and not the whole of a long one. */
function quote(rule: string): string {
  return JSON.stringify(rule.length <= MAX_SHOWN ? rule : `${rule.slice(0, MAX_SHOWN)}...`);
}

const MAX_SHOWN = 200;

const NOWHERE: Place = { file: "static configuration", line: 0, column: 0 };
